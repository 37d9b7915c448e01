import { Shown } from '#platform/http/answer-fields';

/** The contract's answer (contract-c 10.1). */
export class TelemetryTakenResponse {
  @Shown.always('success', 'of the contract') status: 'success';
  @Shown.text('of how many disks something was taken down') message: string;
  @Shown.moment('when it was taken down') timestamp: string;
}
