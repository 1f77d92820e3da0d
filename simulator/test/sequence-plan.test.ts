import { describe, expect, it } from 'vitest';
import { SequencePlan } from '../lib/sequence-plan.ts';

describe('SequencePlan', () => {
  it('numbers consecutively from the first sequence', () => {
    const plan = new SequencePlan(100);
    expect([plan.seqAt(0), plan.seqAt(7)]).toEqual([100, 107]);
    expect([0, 99, 100, 104, 109, 500].map((cursor) => plan.positionAfter(cursor, 10))).toEqual([
      0, 0, 1, 5, 10, 10,
    ]);
  });

  it('finds the frame after a cursor that lies in a jump', () => {
    const plan = new SequencePlan(100);
    plan.jumpTo(5, 1000);
    expect([plan.seqAt(4), plan.seqAt(5), plan.seqAt(6)]).toEqual([104, 1000, 1001]);
    expect([103, 104, 500, 999, 1000].map((cursor) => plan.positionAfter(cursor, 10))).toEqual([
      4, 5, 5, 5, 6,
    ]);
    expect(plan.epochAt(6)).toBe(0);
  });

  it('forgets what was before a restart', () => {
    const plan = new SequencePlan(100);
    plan.restartAt(5, 1);
    expect([plan.epochAt(4), plan.epochAt(5)]).toEqual([0, 1]);
    expect([plan.seqAt(4), plan.seqAt(5)]).toEqual([104, 1]);
    expect([0, 1, 4].map((cursor) => plan.positionAfter(cursor, 8))).toEqual([5, 6, 8]);
    // Nothing of the new epoch is published yet.
    expect(plan.positionAfter(101, 5)).toBe(2);
  });

  it('takes a second change at the same position', () => {
    const plan = new SequencePlan(100);
    plan.jumpTo(5, 1000);
    plan.jumpTo(5, 2000);
    expect([plan.seqAt(4), plan.seqAt(5)]).toEqual([104, 2000]);
  });

  it('refuses to jump back and to change the past', () => {
    const plan = new SequencePlan(100);
    expect(() => plan.jumpTo(5, 104)).toThrow(
      expect.objectContaining({ code: 'SIMULATOR_SEQUENCE_BACKWARDS' }),
    );
    plan.restartAt(5, 1);
    expect(() => plan.jumpTo(4, 900)).toThrow(expect.objectContaining({ code: 'SIMULATOR_SEQUENCE_LIMIT' }));
  });
});
