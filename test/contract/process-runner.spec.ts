import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { ExecaProcessRunner } from '#platform/processes/execa.process-runner';
import {
  DaemonHangs,
  ProgramNotFound,
  ProgramOutputTooLarge,
  ProgramTimedOut,
} from '#platform/processes/process-runner.port';
import { identityOf, processesWithArgument } from '#platform/processes/process-table';

import { DiskWorld, kill } from '../kit/disk-world.js';
import { eventually } from '../kit/eventually.js';

describe('the process runner', () => {
  let world: DiskWorld;
  beforeEach(() => {
    world = new DiskWorld();
  });
  afterEach(async () => {
    await world.clear();
  });

  const shell = (script: string, timeoutSeconds = 10, signal?: AbortSignal) =>
    world.runner.run({
      program: 'sh',
      args: ['-c', script, world.folder],
      timeoutSeconds,
      ...(signal === undefined ? {} : { signal }),
    });

  it('answers exit code and output, also of a program that fails', async () => {
    await expect(shell('echo out; echo err >&2; exit 3')).resolves.toEqual({
      exitCode: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  it('passes input and the given environment, and nothing of its own secrets', async () => {
    process.env['OMA_MASTER_KEY'] = 'canary';
    const answer = await world.runner.run({
      program: 'sh',
      args: ['-c', 'cat; env'],
      timeoutSeconds: 10,
      stdin: 'typed',
      environment: { GIVEN: 'yes' },
    });
    delete process.env['OMA_MASTER_KEY'];
    expect(answer.stdout).toContain('typed');
    expect(answer.stdout).toContain('GIVEN=yes');
    expect(answer.stdout).not.toContain('canary');
  });

  it('tells a missing program apart', async () => {
    await expect(world.runner.run({ program: 'no-such-program', args: [], timeoutSeconds: 1 })).rejects.toBeInstanceOf(
      ProgramNotFound,
    );
    const call = { program: 'no-such-program', args: [], logFile: world.path('log') };
    await expect(world.runner.spawnDaemon(call)).rejects.toBeInstanceOf(ProgramNotFound);
  });

  it('kills the whole process group when the time is over', async () => {
    await expect(shell(`sh -c "sleep 100; : ${world.folder}" & sleep 100`, 0.3)).rejects.toBeInstanceOf(
      ProgramTimedOut,
    );
    await eventually(async () => {
      expect(await processesWithArgument((argument) => argument.includes(world.folder))).toEqual([]);
    });
  });

  it('kills the process group when the caller gives up', async () => {
    const controller = new AbortController();
    const answer = shell('sleep 100', 100, controller.signal);
    setTimeout(() => {
      controller.abort();
    }, 100);
    await expect(answer).rejects.toThrow('gave up');
    expect(await world.processes()).toEqual([]);
  });

  it('refuses more output than any answer has, and lets a program complain as long as it likes', async () => {
    await expect(shell('yes')).rejects.toBeInstanceOf(ProgramOutputTooLarge);
    const chatty = await shell('head -c 5000000 /dev/zero | tr "\\0" e >&2; echo done');
    expect(chatty.stdout).toBe('done\n');
    expect(chatty.stderr.length).toBe(64 * 1024);
  });

  const daemon = (script: string) =>
    world.runner.spawnDaemon({ program: 'sh', args: ['-c', script, world.folder], logFile: world.path('log') });

  it('starts a daemon in a session of its own with its output in the log', async () => {
    const started = await daemon('echo hello; exec sleep 100');
    expect(await world.runner.isAlive(started)).toBe(true);
    expect(await world.runner.isAlive({ ...started, startTicks: started.startTicks - 1 })).toBe(false);
    const session = readFileSync(`/proc/${started.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3];
    expect(session).toBe(String(started.pid));
    await eventually(() => {
      expect(readFileSync(world.path('log'), 'utf8')).toBe('hello\n');
    });
  });

  it('knows how its own daemon ended', async () => {
    const polite = await daemon('trap "exit 7" TERM; while :; do sleep 0.02; done');
    const ready = () => readFileSync(`/proc/${polite.pid}/status`, 'utf8');
    await eventually(() => {
      expect(ready()).toMatch(/SigCgt:\s*0*[1-9a-f]/);
    });
    expect(await world.runner.stopDaemon(polite, 5)).toEqual({ exitCode: 7, killed: false });
    expect(await world.runner.stopDaemon(polite, 5)).toEqual({ exitCode: 7, killed: false });
    expect(await world.runner.isAlive(polite)).toBe(false);
  });

  it('kills a daemon that does not listen, and says so', async () => {
    const deaf = await daemon('trap "" TERM; while :; do sleep 0.02; done');
    await eventually(() => {
      expect(readFileSync(`/proc/${deaf.pid}/status`, 'utf8')).toMatch(/SigIgn:\s*0*[1-9a-f]/);
    });
    expect(await world.runner.stopDaemon(deaf, 0.2)).toEqual({ exitCode: null, killed: true });
  });

  it('does not wait for ever for a killed daemon that the kernel keeps, and says so', async () => {
    /** As while it waits for storage that hangs. */
    class Kept extends ExecaProcessRunner {
      override isAlive(): Promise<boolean> {
        return Promise.resolve(true);
      }
    }
    const kept = await daemon('sleep 100');
    await expect(new Kept(0.1).stopDaemon(kept, 0.05)).rejects.toThrow(DaemonHangs);
  });

  it('adopts a daemon whose starter was killed with -9', async () => {
    writeFileSync(
      world.path('starter.mjs'),
      `import { spawn } from 'node:child_process';
       const child = spawn('sleep', ['100'], { detached: true, stdio: 'ignore' });
       child.unref();
       console.log(child.pid);
       setInterval(() => undefined, 1000);`,
    );
    const starter = spawn(process.execPath, [world.path('starter.mjs')]);
    const [line] = (await once(starter.stdout, 'data')) as [Buffer];
    const adopted = await identityOf(Number(line.toString()));
    starter.kill('SIGKILL');
    await once(starter, 'exit');
    if (adopted === null) throw new Error('the daemon did not start');
    expect(await world.runner.isAlive(adopted)).toBe(true);
    expect(await world.runner.stopDaemon(adopted, 5)).toEqual({ exitCode: null, killed: false });
    kill(adopted.pid);
  });

  it('takes a dead process that nobody reaped for gone', async () => {
    const parent = spawn('sh', ['-c', `sleep 0.05 & echo $!; exec sleep 100`, world.folder]);
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    await eventually(() => {
      expect(execFileSync('cat', [`/proc/${pid}/stat`], { encoding: 'utf8' })).toContain(') Z ');
    });
    expect(await identityOf(pid)).toBeNull();
    parent.kill('SIGKILL');
  });

  it('keeps what a program wrote, however late somebody reads it', async () => {
    const program = world.runner.pipe({ program: 'printf', args: ['all of it'] });
    expect((await program.ended).exitCode).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    const chunks: Buffer[] = [];
    for await (const chunk of program.stdout) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('all of it');
  });
});
