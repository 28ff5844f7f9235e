import type { OnUpload } from '../upload/index.js';
import type { TaskStore } from './store/task-store.js';
import type { BeginUse } from './use-watch.js';

/** All of them hear of each upload, and of its end. */
export function allOf(...listeners: readonly OnUpload[]): OnUpload {
  return (spec, progress) => {
    const onEnds = listeners.map((listener) => listener(spec, progress));
    return (outcome) => {
      for (const onEnd of onEnds) onEnd(outcome);
    };
  };
}

/** Counts finished uploads by task, for whoever asks the daemon about one. */
export function countUploads(store: TaskStore): OnUpload {
  return ({ task }) =>
    ({ result }) => {
      if (result === 'complete') store.get(task.taskId)?.countUpload();
    };
}

/** A daemon that uploads is in use. */
export function useDuringUploads(beginUse: BeginUse): OnUpload {
  return () => beginUse();
}
