import { DfpeerError } from '../../core/errors.js';

export function backToSourceDisabled(reason: string): DfpeerError {
  return new DfpeerError(
    'DFP_BACK_TO_SOURCE_DISABLED',
    `no peer gives it (${reason}), and the origin is not to be asked; try again when a peer has it, or leave out --disable-back-to-source`,
  );
}
