// What is written about a cluster, and its alerts and files, held against the sources.

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import {
  appendEnds,
  ClusterCounts,
  followNotes,
  leaseNotes,
  retryReasons,
} from '../../lib/cluster/cluster-counts.ts';
import { payloadBytesMin } from '../../lib/cluster/stream-layout.ts';
import { settings } from '../../lib/config/settings.ts';
import { clusterMetrics } from '../../lib/monitor/cluster-metrics.ts';
import type { ClusterReport } from '../../lib/monitor/link-state.ts';
import { readConfig } from '../support/config.ts';
import { readAlertRules } from './alert-rules.ts';
import { readQuery } from './promql.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const report: ClusterReport = {
  ...{ nodeId: 'a', role: 'both', counts: new ClusterCounts(), isWriting: true, turns: 1, writerId: 'a' },
  ...{
    sequence: 1,
    behind: 0,
    isCaughtUp: true,
    isConnected: true,
    reconnects: 0,
    heardMs: 5,
    clockSkewMs: 1,
    nodes: [],
  },
};
const metrics = clusterMetrics(report);
const document = read('docs/cluster.md');

test('docs/cluster.md explains every metric of a node, and every name that is counted', () => {
  const rows = [...document.matchAll(/^\| `(slipstream_cluster_\w+)` +\| (\w+) +\| (.*?) +\|/gm)];
  const told = rows.map(([, name, type, labels]) => [name, type, labels.replace(/[` ]/g, '')]);
  expect(told).toEqual(metrics.map(({ name, type, labels }) => [name, type, labels.join(',')]));
  for (const name of [...appendEnds, ...retryReasons, ...followNotes, ...leaseNotes])
    expect(document, name).toContain(`\`${name}\``);
  for (const { name, labels, read: samples } of metrics)
    for (const [values] of samples()) expect(values.length, name).toBe(labels.length);
});

test('it names settings and files that exist', () => {
  for (const [, flag] of document.matchAll(/`--([a-z-]+)/g)) expect(settings).toHaveProperty(flag);
  const cluster = Object.entries(settings).filter(([, { group }]) => group === 'Cluster');
  for (const [name] of cluster) expect(document, name).toContain(`\`--${name}\``);
  for (const [, path] of document.matchAll(/`(deploy\/[\w/.-]+)`/g))
    expect(existsSync(join(root, path)), path).toBe(true);
  for (const [, link] of document.matchAll(/\]\(([\w.-]+\.md)/g))
    expect(existsSync(join(root, 'docs', link)), link).toBe(true);
});

test('alerts ask for metrics and labels that exist', () => {
  const rules = readAlertRules('cluster-alerts.yml');
  expect(rules.length).toBeGreaterThan(5);
  for (const { name, expr } of rules) {
    for (const { metric, matchers } of readQuery(expr).selectors) {
      if (/^slipstream_log_write_seconds_(sum|count)$/.test(metric)) continue;
      const found = metrics.find((one) => one.name === metric);
      expect(found, `${name}: ${metric}`).toBeDefined();
      const samples = [...(found?.read() ?? [])];
      for (const { label, operator, value } of matchers) {
        const at = found?.labels.indexOf(label) ?? -1;
        for (const one of operator.includes('~') ? value.split('|') : [value])
          expect(
            samples.some(([values]) => values[at] === one),
            `${name}: ${label}=${one}`,
          ).toBe(true);
      }
    }
  }
});

test('the NATS configuration is one that the daemon takes', () => {
  const text = read('deploy/nats.conf');
  const [, megabytes] = /^max_payload: (\d+)MB$/m.exec(text) ?? [];
  expect(Number(megabytes) * 2 ** 20).toBeGreaterThanOrEqual(payloadBytesMin);
  expect(text).toMatch(/^ {2}sync_interval: always$/m);
  const [, gigabytes] = /^ {2}max_file_store: (\d+)GB$/m.exec(text) ?? [];
  expect(Number(gigabytes) * 2 ** 30).toBeGreaterThan(
    readConfig(['--nats-url', 'x'], {}).cluster?.streamBytes ?? NaN,
  );
});

test('the compose file has the parts of a cluster, and variables and files that exist', () => {
  const text = read('deploy/compose-cluster.yaml');
  const services = [...text.slice(text.indexOf('\nservices:')).matchAll(/^ {2}([\w-]+):$/gm)].map(
    ([, name]) => name,
  );
  expect(services).toEqual(expect.arrayContaining(['nats-1', 'nats-2', 'nats-3', 'ingest-1', 'ingest-2']));
  expect(services).toEqual(expect.arrayContaining(['serve-1', 'serve-2', 'balancer']));
  const env = Object.fromEntries(
    [...text.matchAll(/^ {4}(SLIPSTREAM_\w+): (.*)$/gm)].map(([, name, value]) => [name, value]),
  );
  expect(readConfig([], env)).toMatchObject({ notices: [], cluster: { urls: { length: 3 }, replicas: 3 } });
  for (const [, path] of text.matchAll(/^ {6}- \.\/([\w.-]+):/gm))
    expect(existsSync(join(root, 'deploy', path)), path).toBe(true);
  const [, version] = /image: nats:([\d.]+)-/.exec(text) ?? [];
  expect(read('test/cluster/nats-binary.ts')).toContain(`'${version}'`);
});

test('the balancer asks where the checks are, and every serving machine', () => {
  const text = read('deploy/haproxy.cfg');
  expect(text).toContain(`check port ${settings['metrics-listen-addr'].default.slice(1)}`);
  expect(text).toContain(`bind ${settings['listen-addr'].default}`);
  for (const name of ['serve-1', 'serve-2']) expect(text.split(`server ${name} `)).toHaveLength(3);
});
