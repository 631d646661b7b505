import { afterAll, beforeAll, expect, test } from "vitest";
import { isKeyframeError } from "../../src/base/errors.ts";
import type { GuestChannel } from "../../src/sandbox/guest/channel.ts";
import { collectCommand, openGuestSession, withGuest } from "../../src/sandbox/guest/session.ts";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";

// Root in a real guest takes the guest program's own ports and says on them what it likes, beside that program.

let lab: SandboxLab;
let sandbox: SandboxRecord;

beforeAll(async () => {
  lab = openSandboxLab();
  sandbox = (await lab.boot("hostile-guest")).record;
});
afterAll(() => lab?.close());

/** Finds the ports in whatever process holds them (pidfd_open, pidfd_getfd), then attacks on all of them. */
const attacker = String.raw`
my ($mode) = @ARGV;
my @ports;
for my $link (glob "/proc/[0-9]*/fd/*") {
  my $to = readlink $link;
  next unless defined $to && $to =~ m{/vport};
  my ($pid, $fd) = $link =~ m{/proc/(\d+)/fd/(\d+)};
  my $process = syscall(434, $pid + 0, 0);
  my $copy = syscall(438, $process, $fd + 0, 0);
  next if $copy < 0;
  open my $port, ">>&=", $copy or next;
  push @ports, $port;
}
die "no port to be had\n" unless @ports;
sub frame {
  my ($type, $stream, $payload) = @_;
  my $mixed = ($type ^ $stream ^ length($payload) ^ 0x5ac3a5) & 0xffffffff;
  my $check = ($mixed ^ ($mixed >> 12) ^ ($mixed >> 24)) & 0xfff;
  return "KFF1" . pack("VVV", $type, $stream, length($payload) | $check << 20) . $payload;
}
sub say_all {
  my ($bytes) = @_;
  for my $port (@ports) {
    my ($at, $waits) = (0, 0);
    while ($at < length $bytes && $waits < 50) {
      my $count = syswrite $port, $bytes, length($bytes) - $at, $at;
      if (defined $count) { $at += $count } else { $waits += 1; select undef, undef, undef, 0.02 }
    }
  }
}
if ($mode eq "short") { say_all(frame($_->[0], $_->[1], "x")) for map { my $t = $_; map { [$t, $_] } 0 .. 20 } 0x23, 0x20; }
elsif ($mode eq "flood") { for (1 .. 40) { say_all(frame(0x21, $_, "y" x 65536)) for 0 .. 6 } }
elsif ($mode eq "ask") { say_all(join "", map { frame(0x30, 0x80000000 + $_, "\1\2\3\4P\0") } 1 .. 600) }
else { srand 7; say_all(join "", map { chr int rand 256 } 1 .. 20_000) }
`;

/** A command that waits, and the attack beside it: what became of the command. */
async function attack(guest: GuestChannel, mode: string): Promise<string> {
  const victim = guest.run({ argv: ["sleep", "1000"] });
  victim.stdout.resume();
  victim.stderr.resume();
  const hostile = guest.run({ argv: ["perl", "-e", attacker, mode] });
  hostile.stdout.resume();
  let said = "";
  hostile.stderr.on("data", (piece: Buffer) => {
    said += piece.toString();
  });
  const lost = victim.exited.catch((error: unknown) => error);
  const ended = await Promise.race([hostile.exited.catch((error: unknown) => error), nothingMore()]);
  if (ended === silent) return silent;
  if (!isKeyframeError(ended)) {
    expect(said).toBe("");
    return "goes on";
  }
  const error = await lost;
  if (!isKeyframeError(error)) throw error;
  return error.code;
}

/**
 * What was cut off in the middle of a frame takes for its rest what comes after, and that may never be enough: as a guest
 * that does not answer. Whoever waits decides how long.
 */
const silent = "silent";
const silentMs = 60_000;

function nothingMore(): Promise<typeof silent> {
  return new Promise((resolve) => setTimeout(resolve, silentMs, silent).unref());
}

test.each([
  ["short", /^guest-failed$/],
  ["flood", /^(?:guest-failed|silent)$/],
  ["ask", /^(?:guest-failed|goes on|silent)$/],
  ["noise", /^(?:guest-failed|goes on|silent)$/],
])(
  "frames of root in the guest (%s) end at most their conversation, and the next one works",
  async (mode, outcome) => {
    const before = process.memoryUsage().rss;
    const session = await openGuestSession(lab.context, sandbox);
    expect(await attack(session.guest, mode)).toMatch(outcome);
    await session.close();
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
    const { stdout } = await withGuest(lab.context, sandbox, (guest) =>
      collectCommand(guest, { argv: ["echo", "still here"] }),
    );
    expect(stdout.toString()).toBe("still here\n");
  },
);
