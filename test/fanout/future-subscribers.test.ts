import { expect, test } from 'vitest';
import { type FutureSubscriber, FutureSubscribers } from '../../lib/fanout/future-subscribers.ts';
import { seededRandom } from '../support/events.ts';

test('those who are passed go on at once, those who left do not, and the others wait', () => {
  const seed = 95;
  const random = seededRandom(seed);
  const future = new FutureSubscribers();
  const waiting = new Set<FutureSubscriber>();
  const passed: FutureSubscriber[] = [];
  let publishedUs = 0;
  for (let step = 0; step < 2000; step++) {
    const action = random();
    if (action < 0.5) {
      const positionUs = publishedUs + 1 + Math.floor(random() * 50);
      const reached = (): unknown => passed.push(subscriber);
      const subscriber: FutureSubscriber = { index: 0, positionUs, reached };
      future.add(subscriber);
      waiting.add(subscriber);
    } else if (action < 0.8 && waiting.size > 0) {
      const subscriber = [...waiting][Math.floor(random() * waiting.size)];
      future.remove(subscriber);
      waiting.delete(subscriber);
    } else {
      publishedUs += Math.floor(random() * 10);
      const expected = [...waiting].filter(({ positionUs }) => positionUs <= publishedUs);
      future.published(publishedUs);
      expect(new Set(passed.splice(0)), `seed ${seed}, step ${step}`).toEqual(new Set(expected));
      for (const subscriber of expected) waiting.delete(subscriber);
    }
  }
});
