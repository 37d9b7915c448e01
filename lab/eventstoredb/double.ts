import { setTimeout as pause } from 'node:timers/promises';

import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';

import { AppendCalls, wireError } from './append-calls.js';
import { type Address, Misbehaviour } from './misbehaviour.js';
import { ReadCalls } from './read-calls.js';
import { ServerLog } from './server-log.js';
import { features, gossip, services, shared } from './wire.js';

const HOST = '127.0.0.1';
const MAX_MESSAGE_BYTES = 17 * 1024 * 1024;
const BIND_TRIES = 50;
const BIND_PAUSE_MS = 20;

/**
 * Stands where an EventStoreDB 23.10 would be: speaks its protocol and behaves as it does, as far as OMA uses it, with the log
 * in memory. It can be told to misbehave.
 */
export class EventStoreDbDouble {
  readonly wrong = new Misbehaviour();
  private server = new Server();
  private port = 0;
  private readonly asleep: (() => void)[] = [];
  private readonly appends: AppendCalls;
  readonly reads: ReadCalls;

  private constructor(readonly log: ServerLog) {
    this.appends = new AppendCalls(this.log, this.wrong, this.whenAwake, () => this.wrong.leader ?? this.address);
    this.reads = new ReadCalls(this.log, this.wrong, this.whenAwake);
  }

  /** With a log given it is another node of the same cluster. */
  static async start(port = 0, log = new ServerLog()): Promise<EventStoreDbDouble> {
    const double = new EventStoreDbDouble(log);
    double.port = port;
    await double.comeBack();
    return double;
  }

  get address(): Address {
    return { host: HOST, port: this.port };
  }

  get url(): string {
    return `esdb://${HOST}:${this.port}?tls=false`;
  }

  /** The address as a member of a cluster of one, found by asking. */
  get discoverUrl(): string {
    return `esdb+discover://${HOST}:${this.port}?tls=false`;
  }

  /** As after kill -9: all connections break. */
  goAway(): void {
    this.server.forceShutdown();
  }

  /** With the same log on the same port. */
  async comeBack(): Promise<void> {
    const server = new Server({ 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES });
    server.addService(services.StreamsService, {
      batchAppend: this.appends.batch.bind(this.appends),
      append: this.appends.single.bind(this.appends),
      read: this.reads.read.bind(this.reads),
    });
    server.addService(services.ServerFeaturesService, {
      getSupportedMethods: this.answering(() => this.supportedMethods(), this.wrong.featureFailures),
    });
    server.addService(services.GossipService, { read: this.answering(() => this.members()) });
    for (let tries = 1; ; tries += 1) {
      try {
        this.port = await bind(server, this.port);
        break;
      } catch (error) {
        // The sockets of the one before may need a moment to go.
        if (tries === BIND_TRIES) throw error;
        await pause(BIND_PAUSE_MS);
      }
    }
    this.server = server;
  }

  /** Answers nothing any more until it is woken; what comes meanwhile is done then. */
  hang(): void {
    this.wrong.hanging = true;
  }

  wake(): void {
    this.wrong.hanging = false;
    for (const answer of this.asleep.splice(0)) answer();
  }

  stop(): void {
    this.goAway();
  }

  private readonly whenAwake = (answer: () => void): void => {
    if (this.wrong.hanging) this.asleep.push(answer);
    else answer();
  };

  private answering(answer: () => unknown, failures: number[] = []) {
    return (_call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) => {
      this.whenAwake(() => {
        const code = failures.shift();
        if (code === undefined) callback(null, answer());
        else callback(wireError(code, 'Something went wrong.'));
      });
    };
  }

  private supportedMethods() {
    const known = new features.SupportedMethods().setEventStoreServerVersion('23.10.8');
    if (this.wrong.withoutBatches > 0) {
      this.wrong.withoutBatches -= 1;
      return known;
    }
    const method = new features.SupportedMethod();
    method.setServiceName('event_store.client.streams.streams').setMethodName('batchappend');
    return known.setMethodsList([method]);
  }

  private members() {
    const member = new gossip.MemberInfo().setState(gossip.MemberInfo.VNodeState.LEADER).setIsAlive(true);
    member.setTimeStamp('0').setInstanceId(new shared.UUID().setString('00000000-0000-4000-8000-000000000000'));
    member.setHttpEndPoint(new gossip.EndPoint().setAddress(HOST).setPort(this.port));
    return new gossip.ClusterInfo().setMembersList([member]);
  }
}

function bind(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${HOST}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
}
