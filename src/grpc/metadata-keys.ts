/** Metadata of our own beside Dragonfly's messages; other programs overlook it. */

/** Request: the bound of this download alone, in bytes per second. */
export const RATE_LIMIT_KEY = 'dfpeer-rate-limit';
/** Initial metadata: unlike Dragonfly's daemon, this one leaves no output behind when a download fails. */
export const CLEANS_UP_KEY = 'dfpeer-cleans-up';
/** Request: the initial metadata is wanted at once, with the task's id, which is then watched. */
export const WATCHES_KEY = 'dfpeer-watches';
/** Initial metadata for those who watch. */
export const TASK_ID_KEY = 'dfpeer-task-id';
/** Trailer: how the output was made. */
export const OUTPUT_METHOD_KEY = 'dfpeer-output-method';
/** Trailer: our own error code beside the status, so that dfget prints what the daemon knew. */
export const ERROR_CODE_KEY = 'dfpeer-error-code';
/** Within the server only, from the connection to the handler; what a client sends under this name is dropped. */
export const CALLER_KEY = 'dfpeer-caller';
/** Trailer: what the daemon knows of a download beyond its pieces, as JSON. */
export const STORY_KEY = 'dfpeer-story';
/** Request metadata of our own dfget: the output is going to be edited in place, so it must not be the store's own file. */
export const NO_HARD_LINK_KEY = 'dfpeer-no-hard-link';
/** Request metadata of our own dfget: device and inode of the output's directory as dfget sees it, which the daemon must see too. */
export const OUTPUT_DIRECTORY_KEY = 'dfpeer-output-directory';
/** Request metadata of our own dfget: its umask, octal, which an output has that the daemon makes. */
export const UMASK_KEY = 'dfpeer-umask';
/** Request metadata of AnnouncePeer: which parents this client takes beside those it asks for. Others would misread what they didn't ask for. */
export const PARENTS_KEY = 'dfpeer-parents';
/** As they come: answers with the parents that have joined since. */
export const PUSHED_PARENTS = 'pushed';
