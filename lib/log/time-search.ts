// The one search of the log: times are ascending everywhere, and the question is always which is the first after another.

/** Position of the first of `count` ascending `times` that is greater than `timeUs`; `count` when there is none. */
export function firstAfter(times: ArrayLike<number>, count: number, timeUs: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle] > timeUs) high = middle;
    else low = middle + 1;
  }
  return low;
}
