// The websocket: frames in, wishes out, and a new connection whenever there is none.

const QUIET = 4000; // ms without a word, of an engine that says something twice a second
const LONGEST = 2000; // ms between two attempts

/** A frame's head and its columns, which are views of the buffer (window/frames.py). */
export function decoded(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const numbers = new Float64Array(buffer, 4 + length);
  const columns = [];
  if (head.rows) for (let at = 0; at < numbers.length; at += head.rows) columns.push(numbers.subarray(at, at + head.rows));
  return { head, columns };
}

export class Link extends EventTarget {
  constructor() {
    super();
    this.attempts = 0;
    this.heard = 0;
    this.open();
    setInterval(() => this.check(), 500);
    // A laptop that was closed wakes up with a socket that may be dead: it is looked at, not waited for.
    document.addEventListener("visibilitychange", () => this.check());
  }

  open() {
    clearTimeout(this.timer);
    const { protocol, host, search } = location;
    const socket = (this.socket = new WebSocket(`${protocol === "https:" ? "wss" : "ws"}://${host}/stream${search}`));
    socket.binaryType = "arraybuffer";
    this.heard = Date.now();
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      this.heard = Date.now();
      this.attempts = 0;
      if (typeof data === "string") {
        const message = JSON.parse(data);
        this.tell(message.kind, message);
      } else {
        const frame = decoded(data);
        this.tell(frame.head.kind, frame);
      }
    };
    socket.onclose = ({ reason }) => {
      if (socket === this.socket) this.again(reason);
    };
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  check() {
    if (this.socket?.readyState === WebSocket.OPEN && Date.now() - this.heard > QUIET) {
      const silent = this.socket;
      this.socket = null; // its end is not waited for
      silent.close();
      this.again("");
    }
  }

  again(reason) {
    this.attempts += 1;
    this.tell("lost", { reason, attempts: this.attempts });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), Math.min(LONGEST, 250 * this.attempts));
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
