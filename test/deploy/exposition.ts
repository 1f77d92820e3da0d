// The Prometheus text format as far as tests read it: names with their types, and the values of labels that were seen.

/** What one metric family shows. */
export interface Family {
  readonly type: string;
  readonly help: string;
  /** Values that each label had. */
  readonly labels: Map<string, Set<string>>;
  readonly samples: Map<string, number>;
}

/** Families by name; a histogram's `_bucket`, `_sum` and `_count` are entries of their own too. */
export function parseExposition(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const help = new Map<string, string>();
  for (const line of text.split('\n')) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment?.[1] === 'HELP') help.set(comment[2], comment[3]);
    else if (comment !== null) {
      const [, , name, type] = comment;
      const suffixes = { histogram: ['', '_bucket', '_sum', '_count'], summary: ['', '_sum', '_count'] }[
        type
      ];
      for (const suffix of suffixes ?? ['']) {
        families.set(name + suffix, {
          type,
          help: help.get(name) ?? '',
          labels: new Map(),
          samples: new Map(),
        });
      }
    } else if (line !== '') {
      const sample = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
      const family = families.get(sample?.[1] ?? '');
      if (sample === null || family === undefined) throw new Error(`no sample of a known family: ${line}`);
      const [, , labels = '', value] = sample;
      for (const [, label, text] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
        family.labels.set(label, (family.labels.get(label) ?? new Set()).add(text));
      }
      family.samples.set(labels, Number(value));
    }
  }
  return families;
}
