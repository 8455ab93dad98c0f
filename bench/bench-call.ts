/** The Cloudonix domain of every generated call. */
export const benchDomain = 'bench.cloudonix.net';

/** Its credential, known to the fake alone. */
export const benchBearerToken = 'XIbenchbenchbenchbenchbenchbench00';

/** The session token of generated call `id`. */
export const benchSession = (id: number) => `bench-session-${id}`;
