import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import {
  ANSWERS_FOR_TRUST,
  type OriginRoom,
  OriginRooms,
  ROOM_TIMEOUT_MS,
} from '../../../src/peer/download/origin-rooms.js';
import { ManualClock } from '../../support/manual-clock.js';

const ORIGIN = 'http://origin.test/';

describe('room at an origin', () => {
  const { signal } = new AbortController();
  let clock: ManualClock;
  let rooms: OriginRooms;
  let room: OriginRoom;
  beforeEach(() => {
    clock = new ManualClock();
    rooms = new OriginRooms(clock);
    room = rooms.of(`${ORIGIN}file`);
  });

  /** Begins to ask; ends with what is called. */
  async function ask(): Promise<() => Promise<void>> {
    await room.enter('room', signal);
    let answer: () => void = () => undefined;
    const asked = room.ask(() => new Promise<void>((resolve) => (answer = resolve)));
    return async () => {
      answer();
      await asked;
      room.leave();
    };
  }

  /** Of which one is turned away while the others are asking. */
  async function fill(others: number): Promise<(() => Promise<void>)[]> {
    const ends = [];
    for (let count = 0; count < others; count++) ends.push(await ask());
    await room.enter('room', signal);
    assert.equal(room.turnedAway(), others > 0);
    return ends;
  }

  /** How many get in by themselves. */
  async function enter(count: number, aborted = signal): Promise<() => number> {
    let entered = 0;
    for (let each = 0; each < count; each++) room.enter('room', aborted).then(() => entered++, () => undefined); // prettier-ignore
    await setImmediate();
    return () => entered;
  }

  it('is for any number, and for as many as it took once one was turned away', async () => {
    const ends = await fill(3);
    const entered = await enter(2);
    assert.equal(entered(), 0);
    for (const end of ends.slice(0, 2)) await end();
    await setImmediate();
    assert.equal(entered(), 1, 'the one that was turned away keeps its place');
    room.leave();
    await setImmediate();
    assert.equal(entered(), 2);
  });

  it('is for one at least, and for more after a while', async () => {
    await fill(0);
    const entered = await enter(2);
    for (let count = 0; count < ANSWERS_FOR_TRUST; count++) {
      assert.equal(entered(), 0);
      await room.ask(() => Promise.resolve());
    }
    await setImmediate();
    assert.equal(entered(), 1);
  });

  it('is no matter any more where one that is alone gets nothing', async () => {
    await fill(0);
    const entered = await enter(3);
    assert.equal(entered(), 0);
    room.open();
    await setImmediate();
    assert.equal(entered(), 3);
  });

  it('is not waited for by those who go, nor for ever', async () => {
    await fill(0);
    const gone = new AbortController();
    const left = await enter(1, gone.signal);
    gone.abort(new Error('gone'));
    const entered = await enter(1);
    clock.advance(ROOM_TIMEOUT_MS);
    await setImmediate();
    assert.deepEqual([left(), entered()], [0, 1]);
    const next = await enter(1);
    room.leave();
    await setImmediate();
    assert.equal(next(), 0, 'who did not wait any longer takes room as well');
    room.leave();
    await setImmediate();
    assert.equal(next(), 1);
  });

  it('becomes less where fewer than it took are turned away', async () => {
    const ends = await fill(3);
    for (const end of ends.slice(0, 2)) await end();
    room.turnedAway();
    const entered = await enter(1);
    room.leave();
    await setImmediate();
    assert.equal(entered(), 0);
    await ends[2]?.();
    await setImmediate();
    assert.equal(entered(), 1);
  });

  it('is forgotten when nobody is there, and of one origin only', async () => {
    const [end] = await fill(1);
    assert.equal(rooms.of(`${ORIGIN}other`), room);
    assert.notEqual(rooms.of('http://origin.test:81/file'), room);
    assert.notEqual(rooms.of('no URL'), room);
    room.leave();
    assert.equal(rooms.of(ORIGIN), room);
    await end?.();
    assert.notEqual(rooms.of(ORIGIN), room);
  });
});
