/** Milliseconds of the machine's monotonic clock: the same in every process of a run, so that hops between processes can be timed. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
