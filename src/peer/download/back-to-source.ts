import { DfpeerError } from '../../core/errors.js';

export function backToSourceDisabled(reason: string): DfpeerError {
  return new DfpeerError(
    'DFP_BACK_TO_SOURCE_DISABLED',
    `the task is not to be fetched from the origin, but ${reason}; try again when a peer has it, or allow back-to-source`,
  );
}
