import type { UploadsOptions } from '../upload/index.js';

type OnUpload = NonNullable<UploadsOptions['onUpload']>;

/** All of them hear of each upload, and of its end. */
export function allOf(...listeners: readonly OnUpload[]): OnUpload {
  return (spec) => {
    const onEnds = listeners.map((listener) => listener(spec));
    return (outcome) => {
      for (const onEnd of onEnds) onEnd(outcome);
    };
  };
}
