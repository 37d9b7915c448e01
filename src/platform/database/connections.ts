import { Socket } from 'node:net';

/** So says the machine of a server that isn't there. */
const REFUSALS = ['ECONNREFUSED', 'ECONNRESET', 'ENOENT'];

/** The connections to a database, each from the moment it is begun until it is closed. */
export class Connections {
  /** With how many bytes had come when this was last looked at. */
  private readonly open = new Map<Socket, number>();
  /** Whether one that is closed had said something, or was refused. */
  private closedWithAWord = false;

  /** What the driver is told to make its connections of. */
  readonly stream = (): Socket => {
    const socket = new Socket();
    this.open.set(socket, 0);
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (REFUSALS.includes(code ?? '')) this.closedWithAWord = true;
    });
    socket.once('close', () => {
      if (socket.bytesRead > (this.open.get(socket) ?? 0)) this.closedWithAWord = true;
      this.open.delete(socket);
    });
    return socket;
  };

  /** Whether the database has said anything to anybody since this was asked last, be it that nobody is let in. */
  hear(): boolean {
    let isHeard = this.closedWithAWord;
    this.closedWithAWord = false;
    for (const [socket, before] of this.open) {
      if (socket.bytesRead > before) isHeard = true;
      this.open.set(socket, socket.bytesRead);
    }
    return isHeard;
  }

  /** Closes them all without a word; whoever waits for an answer hears that its connection is lost. Answers how many they were. */
  cut(): number {
    const all = [...this.open.keys()];
    for (const socket of all) socket.destroy();
    return all.length;
  }
}
