/** Cloudonix limits requests per domain, to about one a second, and so does the server: a ramp of many calls needs many domains. */
const CALLS_PER_DOMAIN = 5;

/** The Cloudonix domain of generated call `id`. */
export const benchDomain = (id: number) => `bench-${Math.floor(id / CALLS_PER_DOMAIN)}.cloudonix.net`;

/** The domains of the first `calls` calls. */
export const benchDomains = (calls: number) => Array.from({ length: Math.ceil(calls / CALLS_PER_DOMAIN) }, (_, index) => benchDomain(index * CALLS_PER_DOMAIN));

/** Their credential, known to the fake alone. */
export const benchBearerToken = 'XIbenchbenchbenchbenchbenchbench00';

/** The session token of generated call `id`. */
export const benchSession = (id: number) => `bench-session-${id}`;
