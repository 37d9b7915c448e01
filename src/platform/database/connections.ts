import { Socket } from 'node:net';

/** The connections to a database, each from the moment it is begun until it is closed. */
export class Connections {
  /** With how many bytes had come when this was last looked at. */
  private readonly open = new Map<Socket, number>();

  /** What the driver is told to make its connections of. */
  readonly stream = (): Socket => {
    const socket = new Socket();
    this.open.set(socket, 0);
    socket.once('close', () => this.open.delete(socket));
    return socket;
  };

  /** Whether the database has said anything to anybody since this was asked last. */
  hear(): boolean {
    let isHeard = false;
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
