/** Events as they come, for those who follow them. */
const FOLDER = 'src/platform/event-stream';
const inFile = (name) => (what, from, to) => ({ what, file: `${FOLDER}/${name}.ts`, from, to });
const [tail, reader, text] = ['event-tail', 'event-reader', 'text-stream'].map(inFile);

export const specs = ['test/contract/event-streams.spec.ts'];

export const mutations = [
  tail('who fell behind is not sent to the log', 'if (position < this.begin) return null;', ''),
  tail('what is no longer kept is said to be', 'this.begin = last.event.position;', ''),
  tail(
    'a long stretch is taken for read',
    'const isAll = from + events.length === this.kept.length;',
    'const isAll = this.kept.length > 0;',
  ),
  tail('who is ahead of it is turned back', 'upTo: reached > position ? reached : position', 'upTo: reached'),
  tail('an older beginning takes the place of a newer one', 'if (this.current !== controller) return controller;', ''),
  tail('a log that is closed is asked again and again', 'await pause(RETRY_MS, signal);', ''),
  tail('whoever leaves ends it for all', 'if (this.readers > 0) return;', ''),
  tail('what came before the log failed comes again', 'after: this.upTo, signal', 'after: this.begin, signal'),
  tail(
    'a log that fails once ends it',
    "this.logger.error({ error }, 'the tail of the log could not be followed; it tries again');",
    'throw error;',
  ),
  tail('a log that was away once stays away', 'this.following = null;\n      this.readers -= 1;', 'this.readers -= 1;'),
  reader('who caught up reads the log for ever', 'if (tail.reaches(position)) break;', ''),
  reader('what was caught up with comes again', 'position = upTo;\n        if', 'if'),
  reader('a full piece comes again', "yield chunk;\n    chunk = '';", 'yield chunk;'),
  reader('what nobody asked for comes', 'if (types?.includes(event.type) === false) continue;', ''),
  reader('who had nothing to hear begins where it was', 'yield placeFrame(upTo);', 'yield placeFrame(told);'),
  reader('what came live says nothing about its reader', 'isLive ? events.map(({ event }) => event) : []', '[]'),
  reader('who may not go on takes what is left', 'if (!(await reading.mayGoOn([]))) return;', ''),
  text(
    'who takes nothing is never broken off',
    'this.patience = setTimeout(() => this.destroy(new TooSlow()), this.options.takenWithinMs);',
    '',
  ),
  text('much is made before anybody takes it', 'highWaterMark: BUFFERED_BYTES', 'highWaterMark: 64 * BUFFERED_BYTES'),
  text('nobody hears that a reader is gone', 'this.options.onGone();', ''),
];
