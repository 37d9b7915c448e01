import { describe, expect, it } from '@jest/globals';

import type { Sample } from './metrics.port.js';
import { PrometheusMetrics } from './prometheus.metrics.js';

const jobs = { name: 'oma_jobs', help: 'Jobs', labels: ['type'] };
const exports = { name: 'oma_exports_open', help: 'Exports' };

describe('the numbers of an OMA', () => {
  it('are its own: a second one in the process counts for itself', async () => {
    const [one, other] = [new PrometheusMetrics(), new PrometheusMetrics()];
    one.count({ name: 'oma_things_total', help: 'Things' }).add({}, 3);
    other.count({ name: 'oma_things_total', help: 'Things' }).add();
    expect(await one.exposition()).toContain('oma_things_total 3');
    expect(await other.exposition()).toContain('oma_things_total 1');
  });

  it('are looked up when somebody asks, and what is gone is not shown any more', async () => {
    const metrics = new PrometheusMetrics();
    let found: readonly Sample[] = [{ labels: { type: 'backup' }, value: 2 }];
    metrics.watch('jobs', { jobs }, () => Promise.resolve({ jobs: found }));
    expect(await metrics.exposition()).toContain('oma_jobs{type="backup"} 2');
    found = [{ labels: { type: 'verification' }, value: 1 }];
    const text = await metrics.exposition();
    expect(text).toContain('oma_jobs{type="verification"} 1');
    expect(text).not.toContain('type="backup"');
  });

  it('leave out what could not be looked up, and say so, while all else is told', async () => {
    const metrics = new PrometheusMetrics();
    let broken = false;
    metrics.watch('exports', { open: exports }, () =>
      broken ? Promise.reject(new Error('away')) : Promise.resolve({ open: [{ value: 4 }] }),
    );
    metrics.watch('jobs', { jobs }, () => Promise.resolve({ jobs: [{ labels: { type: 'backup' }, value: 2 }] }));
    expect(await metrics.exposition()).toContain('oma_exports_open 4');
    broken = true;
    const text = await metrics.exposition();
    expect(text).toContain('oma_metrics_source_up{source="exports"} 0');
    expect(text).toContain('oma_metrics_source_up{source="jobs"} 1');
    expect(text).toContain('oma_jobs{type="backup"} 2');
    expect(text).not.toMatch(/^oma_exports_open/m);
  });

  it('come within the time limit although a source hangs, and it is not asked a second time meanwhile', async () => {
    const metrics = new PrometheusMetrics();
    let looks = 0;
    metrics.watch('exports', { open: exports }, () => {
      looks += 1;
      return new Promise(() => undefined);
    });
    for (let scrape = 0; scrape < 2; scrape += 1) {
      expect(await metrics.exposition()).toContain('oma_metrics_source_up{source="exports"} 0');
    }
    expect(looks).toBe(1);
  });
});
