// The dashboard, the alert rules and docs/operations.md, held against what a running daemon shows.

import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { readAlertRules } from './alert-rules.ts';
import type { Family } from './exposition.ts';
import { observeDaemon } from './observed-daemon.ts';
import { readQuery } from './promql.ts';

/** Labels that Prometheus itself adds. */
const targetLabels = ['instance', 'job'];

let families: Map<string, Family>;
beforeAll(async () => {
  families = await observeDaemon();
});

/** Every name in an expression that no daemon has, in words. */
function unknownIn(expr: string): string[] {
  const { selectors, groupLabels } = readQuery(expr);
  const unknown: string[] = [];
  const known = new Set(targetLabels);
  for (const { metric, matchers } of selectors) {
    // Of Prometheus itself.
    if (metric === 'up') continue;
    const family = families.get(metric);
    if (family === undefined) {
      unknown.push(metric);
      continue;
    }
    for (const label of family.labels.keys()) known.add(label);
    for (const { label, operator, value } of matchers) {
      if (targetLabels.includes(label)) continue;
      const values = family.labels.get(label);
      if (values === undefined) unknown.push(`${metric}{${label}}`);
      for (const one of operator.includes('~') ? value.split('|') : [value]) {
        if (values !== undefined && !values.has(one)) unknown.push(`${metric}{${label}="${one}"}`);
      }
    }
  }
  return [...unknown, ...groupLabels.filter((label) => !known.has(label))];
}

/** Labels that a legend or a summary shows. */
function shownLabels(text: string): string[] {
  return [...text.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)].map((match) => match[1]);
}

function labelsOf(expr: string): string[] {
  const { selectors } = readQuery(expr);
  return [
    ...targetLabels,
    ...selectors.flatMap(({ metric }) => [...(families.get(metric)?.labels.keys() ?? [])]),
  ];
}

describe('the dashboard', () => {
  const path = new URL('../../deploy/grafana/slipstream.json', import.meta.url);
  const dashboard = JSON.parse(readFileSync(path, 'utf8'));
  const panels: {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly description?: string;
    readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
    readonly targets?: readonly {
      readonly expr: string;
      readonly legendFormat: string;
      readonly refId: string;
    }[];
  }[] = dashboard.panels;
  const graphs = panels.filter(({ type }) => type !== 'row');

  test('asks for metrics and labels that exist', () => {
    expect(graphs.length).toBeGreaterThan(20);
    for (const { title, targets = [] } of graphs) {
      expect(targets.length, title).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
      for (const { expr, legendFormat } of targets) {
        expect(unknownIn(expr), `${title}: ${expr}`).toEqual([]);
        expect(labelsOf(expr), title).toEqual(expect.arrayContaining(shownLabels(legendFormat)));
      }
    }
    for (const { expr } of dashboard.annotations.list) expect(unknownIn(expr)).toEqual([]);
    for (const variable of dashboard.templating.list) {
      const metric = /^label_values\((\w+), \w+\)$/.exec(variable.query)?.[1];
      if (variable.type === 'query') expect(families.has(metric ?? ''), variable.query).toBe(true);
    }
  });

  test('uses only variables that it has, and rates over what Grafana chooses', () => {
    const variables = dashboard.templating.list.map(({ name }: { name: string }) => name);
    const used = [...JSON.stringify(panels).matchAll(/\$\{?(\w+)/g)].map((match) => match[1]);
    expect([...variables, '__rate_interval']).toEqual(expect.arrayContaining([...new Set(used)]));
  });

  test('has panels that say what they show, side by side', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { title, description } of graphs) expect(description, title).toMatch(/\w{3}/);
    const taken = new Map<string, string>();
    for (const { title, gridPos } of panels) {
      const { x, y, w, h } = gridPos;
      expect(x + w, title).toBeLessThanOrEqual(24);
      for (let at = 0; at < w * h; at++) {
        const cell = `${x + (at % w)} ${y + Math.floor(at / w)}`;
        expect(taken.get(cell), `${title} lies over another`).toBeUndefined();
        taken.set(cell, title);
      }
    }
  });
});

describe('alert rules', () => {
  const rules = readAlertRules();

  test('ask for metrics and labels that exist', () => {
    expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length);
    for (const { name, expr, severity, summary } of rules) {
      expect(unknownIn(expr), name).toEqual([]);
      expect(['page', 'ticket']).toContain(severity);
      expect(labelsOf(expr), name).toEqual(expect.arrayContaining(shownLabels(summary)));
    }
  });

  test('are explained in docs/operations.md, and no others are', () => {
    const explained = [...operations().matchAll(/^\| `(Slipstream\w+)` /gm)].map((match) => match[1]);
    expect(explained.sort()).toEqual(rules.map(({ name }) => name).sort());
  });
});

describe('docs/operations.md', () => {
  /** Name to type and labels. */
  function documented(): Map<string, string> {
    const rows = operations().matchAll(/^\| `([a-z]\w+)` +\| (\w+) +\| ([^|]*?) *\|/gm);
    return new Map([...rows].map(([, name, type, labels]) => [name, `${type} ${labels}`]));
  }

  test.skipIf(process.platform !== 'linux')('has every metric, its type and its labels, and no other', () => {
    const shown = new Map<string, string>();
    for (const [name, { type, labels }] of families) {
      if (type === 'histogram' && /_(bucket|sum|count)$/.test(name)) continue;
      // What has no samples yet in a daemon that is so young.
      const late = { nodejs_gc_duration_seconds: ['kind'], nodejs_active_requests: ['type'] }[name];
      const names = late ?? [...labels.keys()];
      shown.set(name, `${type} ${names.map((label) => `\`${label}\``).join(', ')}`);
    }
    expect(documented()).toEqual(shown);
  });

  test('explains every value of a label that is a reason', () => {
    const text = operations();
    for (const [name, { labels }] of families) {
      if (!name.startsWith('slipstream_')) continue;
      for (const label of ['reason', 'outcome', 'type', 'check', 'kind', 'operation', 'collection']) {
        for (const value of labels.get(label) ?? [])
          expect(text, `${name}: ${value}`).toContain(`\`${value}\``);
      }
    }
  });
});

test('no label holds an address of a client or a name from the network', () => {
  for (const [name, { labels }] of families) {
    for (const [label, values] of labels) {
      if (['relay', 'socket_url'].includes(label)) continue;
      for (const value of values)
        expect(value, name).not.toMatch(/127\.0\.0\.1|::1|did:|test\.sim|test\.example/);
    }
  }
});

test('gauges do not have the names of counters, and no panel of the dashboard shows all jobs of a Prometheus', () => {
  for (const [name, { type }] of families) if (type === 'gauge') expect(name).not.toMatch(/_total$/);
  const path = new URL('../../deploy/grafana/slipstream.json', import.meta.url);
  expect(readFileSync(path, 'utf8')).not.toContain('"allValue"');
});

test('plain and compressed subscribers are told apart', () => {
  const { samples } = families.get('slipstream_subscribers_by_encoding') as Family;
  expect(Object.fromEntries(samples)).toEqual({ 'encoding="json"': 1, 'encoding="zstd"': 1 });
  const delivered = families.get('slipstream_delivered_bytes_total') as Family;
  const published = families.get('slipstream_published_bytes_total') as Family;
  expect(delivered.samples).toEqual(published.samples);
});

test('v1’s metrics show the same numbers as ours', () => {
  const total = (name: string, pattern = /^/): number =>
    [...(families.get(name) as Family).samples]
      .filter(([labels]) => pattern.test(labels))
      .reduce((sum, [, value]) => sum + value, 0);
  const pairs: [string, string, RegExp?][] = [
    ['consumer_events_processed_total', 'slipstream_frames_total', /commit|identity|account|error/],
    ['consumer_ops_processed_total', 'slipstream_published_commits_total'],
    ['consumer_events_sequenced_total', 'slipstream_events_total'],
    ['consumer_events_persisted_total', 'slipstream_published_events_total'],
    ['consumer_events_emitted_total', 'slipstream_published_events_total'],
    ['consumer_last_seq', 'slipstream_upstream_sequence'],
    ['jetstream_subscribers_connected', 'slipstream_subscribers'],
    ['jetstream_events_emitted_total', 'slipstream_published_events_total'],
    ['jetstream_bytes_emitted_total', 'slipstream_published_bytes_total', /json/],
    ['jetstream_events_delivered_total', 'slipstream_delivered_events_total'],
    ['jetstream_bytes_delivered_total', 'slipstream_delivered_bytes_total'],
  ];
  for (const [theirs, ours, pattern] of pairs) {
    expect(total(theirs), theirs).toBe(total(ours, pattern));
    expect(total(theirs), theirs).toBeGreaterThan(0);
  }
  const createdNs = total('consumer_last_evt_created_at');
  expect(createdNs / 1e9).toBeCloseTo(total('slipstream_upstream_newest_frame_timestamp_seconds'), 2);
  const gap = total('consumer_last_evt_created_evt_processed_gap');
  expect((total('consumer_last_evt_processed_at') - createdNs) / 1e9).toBeCloseTo(gap, 2);
});

function operations(): string {
  return readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
}
