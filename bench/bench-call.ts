/** Calls of one domain: Cloudonix documents about one request a second for each, so a ramp of many calls comes from many domains. */
const CALLS_PER_DOMAIN = 5;

/** The Cloudonix domain of generated call `id`. */
export const benchDomain = (id: number) => `bench-${Math.floor(id / CALLS_PER_DOMAIN)}.cloudonix.net`;

/** The domains of the first `calls` calls. */
export const benchDomains = (calls: number) => Array.from({ length: Math.ceil(calls / CALLS_PER_DOMAIN) }, (_, index) => benchDomain(index * CALLS_PER_DOMAIN));

/** Their credential, known to the fake alone. */
export const benchBearerToken = 'XIbenchbenchbenchbenchbenchbench00';

/** The session token of generated call `id`. */
export const benchSession = (id: number) => `bench-session-${id}`;
