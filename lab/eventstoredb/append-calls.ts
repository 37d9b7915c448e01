import { Metadata, type ServerDuplexStream, type ServerReadableStream, type sendUnaryData } from '@grpc/grpc-js';
import type {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  BatchAppendResp,
} from '@eventstore/db-client/generated/streams_pb.js';

import type { Address, Misbehaviour } from './misbehaviour.js';
import { ANY, NO_STREAM, type Outcome, type Proposed, type ServerLog, STREAM_EXISTS } from './server-log.js';
import { emptyMessage, packed, shared, status, streams } from './wire.js';

const UUID = /^[0-9a-f-]{36}$/i;
/** So long after a bad request the server answers it once more. */
const SECOND_ANSWER_MS = 2000;

export const CODES = {
  unknown: 2,
  invalid: 3,
  notFound: 5,
  exhausted: 8,
  precondition: 9,
  aborted: 10,
  internal: 13,
  unavailable: 14,
} as const;

/** An error as it goes over the wire. */
export function wireError(code: number, details: string, metadata: Readonly<Record<string, string>> = {}) {
  const trailers = new Metadata();
  for (const [name, value] of Object.entries(metadata)) trailers.set(name, value);
  return Object.assign(new Error(details), { code, details, metadata: trailers });
}

const internalError = () => wireError(CODES.internal, 'Error starting gRPC call. The request was aborted.');
const unknownError = () => wireError(CODES.unknown, 'Exception was thrown by handler.');

type Message = BatchAppendReq.ProposedMessage | AppendReq.ProposedMessage;

function proposed(message: Message): Proposed {
  const map = message.getMetadataMap();
  return {
    id: message.getId()?.getString() ?? '',
    type: map.get('type') ?? '',
    isJson: map.get('content-type') === 'application/json',
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}

function isBad({ id, type }: Proposed): boolean {
  return type === '' || !UUID.test(id);
}

const nameOf = (identifier?: { getStreamName_asU8(): Uint8Array }) =>
  Buffer.from(identifier?.getStreamName_asU8() ?? []).toString();

function expectedOf(options: BatchAppendReq.Options | AppendReq.Options, exact: string): bigint {
  if (options.hasNoStream()) return NO_STREAM;
  if (options.hasAny()) return ANY;
  return options.hasStreamExists() ? STREAM_EXISTS : BigInt(exact);
}

/** The double's answers to appends: the batch stream, and the older call for a single one. */
export class AppendCalls {
  constructor(
    private readonly log: ServerLog,
    private readonly wrong: Misbehaviour,
    private readonly whenAwake: (answer: () => void) => void,
    private readonly leader: () => Address,
  ) {}

  batch(call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>): void {
    const open = new Map<string, { options: BatchAppendReq.Options; events: Proposed[] }>();
    call.on('error', () => undefined);
    call.on('end', () => call.end());
    call.on('data', (request: BatchAppendReq) => {
      const id = request.getCorrelationId()?.getString() ?? '';
      const options = request.getOptions();
      if (options !== undefined) open.set(id, { options, events: [] });
      const append = open.get(id);
      if (append === undefined) return;
      append.events.push(...request.getProposedMessagesList().map(proposed));
      if (!request.getIsFinal()) return;
      open.delete(id);
      // Not in the turn in which it came: appends of one client overlap.
      setImmediate(() => {
        this.whenAwake(() => {
          this.answer(call, request, append.options, append.events);
        });
      });
    });
  }

  single(call: ServerReadableStream<AppendReq, AppendResp>, callback: sendUnaryData<AppendResp>): void {
    let options: AppendReq.Options | undefined;
    const events: Proposed[] = [];
    call.on('data', (request: AppendReq) => {
      options = request.getOptions() ?? options;
      const message = request.getProposedMessage();
      if (message !== undefined) events.push(proposed(message));
    });
    call.on('end', () => {
      if (options === undefined) return;
      const expected = expectedOf(options, options.getRevision());
      const outcome = this.log.append(nameOf(options.getStreamIdentifier()), expected, events);
      callback(null, singleAnswer(outcome, expected));
    });
  }

  private answer(
    call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>,
    request: BatchAppendReq,
    options: BatchAppendReq.Options,
    events: readonly Proposed[],
  ): void {
    const stream = nameOf(options.getStreamIdentifier());
    const answer = () => {
      const response = new streams.BatchAppendResp();
      response.setCorrelationId(request.getCorrelationId());
      response.setStreamIdentifier(options.getStreamIdentifier());
      return response;
    };
    const refuse = (message: string, details: never) => {
      call.write(answer().setError(new status.Status().setMessage(message).setDetails(details)));
    };
    if (events.some(isBad)) {
      const bad = new shared.BadRequest().setMessage('Required field not set.');
      refuse('BadRequest', packed('event_store.client.BadRequest', bad));
      setTimeout(() => {
        refuse('Timeout', packed('event_store.client.Timeout', new shared.Timeout()));
      }, SECOND_ANSWER_MS).unref();
      return;
    }
    const { maxAppendBytes } = this.wrong;
    if (events.reduce((sum, { data }) => sum + data.length, 0) > maxAppendBytes) {
      const tooLarge = new shared.MaximumAppendSizeExceeded().setMaxappendsize(maxAppendBytes);
      refuse('Too large', packed('event_store.client.MaximumAppendSizeExceeded', tooLarge));
      return;
    }
    if (this.log.isTombstoned(stream)) {
      const deleted = new shared.StreamDeleted().setStreamIdentifier(options.getStreamIdentifier());
      refuse('Stream deleted', packed('event_store.client.StreamDeleted', deleted));
      return;
    }
    const how = this.wrong.nextAppend();
    switch (how) {
      case 'reset':
        call.emit('error', wireError(CODES.unavailable, 'Connection dropped'));
        return;
      case 'not-leader': {
        const { host, port } = this.leader();
        const leader = { 'leader-endpoint-host': host, 'leader-endpoint-port': String(port) };
        call.emit('error', wireError(CODES.notFound, 'Leader info available', { exception: 'not-leader', ...leader }));
        return;
      }
      case 'not-ready':
        refuse('Server Is Not Ready', packed('google.protobuf.Empty', emptyMessage()));
        return;
      case 'internal':
        call.emit('error', internalError());
        return;
      case 'unknown':
        call.emit('error', unknownError());
        return;
      case 'answered-unknown':
        refuse('Unknown', packed('event_store.client.Unknown', new shared.Unknown()));
        return;
      default:
        break;
    }
    const expected = expectedOf(options, options.getStreamPosition());
    const outcome = this.log.append(stream, expected, events);
    switch (how) {
      case 'stored-then-reset':
        call.emit('error', wireError(CODES.internal, 'Received RST_STREAM with code 2'));
        return;
      case 'stored-then-silence':
        return;
      case 'stored-then-timeout':
        refuse('Timeout', packed('event_store.client.Timeout', new shared.Timeout()));
        return;
      case 'stored-then-internal':
        call.emit('error', internalError());
        return;
      case 'stored-then-unknown':
        call.emit('error', unknownError());
        return;
      case 'stored-then-answered-unknown':
        refuse('Unknown', packed('event_store.client.Unknown', new shared.Unknown()));
        return;
      case 'overload':
        call.emit('error', wireError(CODES.exhausted, 'Received message larger than max'));
        return;
      default:
        break;
    }
    if (outcome.stored) {
      const position = new shared.AllStreamPosition();
      position.setCommitPosition(String(outcome.offset)).setPreparePosition(String(outcome.offset));
      const success = new streams.BatchAppendResp.Success().setCurrentRevision(String(outcome.revision));
      if (how === 'answered-without-position') success.setNoPosition(emptyMessage());
      else success.setPosition(position);
      for (let times = how === 'answered-twice' ? 2 : 1; times > 0; times -= 1) {
        call.write(answer().setSuccess(success));
      }
      return;
    }
    refuse('WrongExpectedVersion', packed('event_store.client.WrongExpectedVersion', wrongVersion(outcome, expected)));
  }
}

function wrongVersion({ current }: { current: bigint }, expected: bigint) {
  const wrong = new shared.WrongExpectedVersion();
  if (current >= 0n) wrong.setCurrentStreamRevision(String(current));
  else wrong.setCurrentNoStream(emptyMessage());
  if (expected === ANY) wrong.setExpectedAny(emptyMessage());
  else if (expected === STREAM_EXISTS) wrong.setExpectedStreamExists(emptyMessage());
  else if (expected === NO_STREAM) wrong.setExpectedNoStream(emptyMessage());
  else wrong.setExpectedStreamPosition(String(expected));
  return wrong;
}

function singleAnswer(outcome: Outcome, expected: bigint): AppendResp {
  const response = new streams.AppendResp();
  if (outcome.stored) {
    const position = new streams.AppendResp.Position();
    position.setCommitPosition(String(outcome.offset)).setPreparePosition(String(outcome.offset));
    const success = new streams.AppendResp.Success().setCurrentRevision(String(outcome.revision));
    return response.setSuccess(success.setPosition(position));
  }
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  if (outcome.current >= 0n) wrong.setCurrentRevision(String(outcome.current));
  else wrong.setCurrentNoStream(new shared.Empty());
  if (expected >= 0n) wrong.setExpectedRevision(String(expected));
  else if (expected === NO_STREAM) wrong.setExpectedNoStream(new shared.Empty());
  else if (expected === STREAM_EXISTS) wrong.setExpectedStreamExists(new shared.Empty());
  else wrong.setExpectedAny(new shared.Empty());
  return response.setWrongExpectedVersion(wrong);
}
