import type { ReportingView } from './platform/reporting/reporting.js';
import { backups, restorePoints } from './reporting/backups.js';
import { repositories, vms } from './reporting/things.js';
import { audit, jobs } from './reporting/work.js';

/** Everything that reports can be made from; docs/reporting.md shows how. */
export const reportingViews: readonly ReportingView[] = [audit, backups, jobs, repositories, restorePoints, vms];
