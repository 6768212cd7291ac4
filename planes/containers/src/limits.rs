//! The bounds of this plane, with their reasons.

/// A longer line is logged in pieces, as container runtimes do; bounds the memory of the shim.
pub const LOG_LINE_BYTES: usize = 16 * 1024;

/// Size at which a log file is closed and the next one begun. Deleting the oldest file loses a quarter, not everything.
pub const LOG_SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// Log files kept per container: 32 MiB, hours of an ordinary web application.
pub const LOG_SEGMENTS: usize = 4;

/// Bytes read for the last lines of a log: as much as a person reads at once.
pub const LOG_TAIL_BYTES: u64 = 32 * 1024;

/// Output kept of one command in a container, per stream; the rest is read and dropped.
pub const EXEC_OUTPUT_BYTES: u64 = 1024 * 1024;

/// Largest manifest and image configuration. Registries refuse larger manifests than 4 MiB.
pub const MANIFEST_BYTES: u64 = 4 * 1024 * 1024;

/// Entries of one layer. The largest public images have some 300,000.
pub const LAYER_ENTRIES: u64 = 4_000_000;

/// Unpacked bytes of one layer: a decompression bomb must not fill the disk.
pub const LAYER_UNPACKED_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// Largest window of a layer in zstd, as a power of two: 128 MiB of memory, the default of the zstd program. Level 19 needs 8 MiB.
pub const ZSTD_WINDOW_LOG: u32 = 27;

/// Layers of one image; the limit of overlayfs and Docker.
pub const LAYERS: usize = 127;

/// Shortest pause between two measurements of a group's storage, in milliseconds. A disk that writes 1 GB/s lets a group
/// exceed its limit by 2 GB.
pub const STORAGE_EVERY_MS: u64 = 2_000;

/// A measurement is followed by a pause of so many times its duration: measuring costs at most 5 % of one CPU.
pub const STORAGE_REST: u64 = 20;

/// Nested directories that a measurement enters, each with an open descriptor. Real trees have some 50 levels; deeper ones
/// could hide their content, so their group is stopped.
pub const STORAGE_DEPTH: usize = 256;

/// Longest wait for a process after SIGKILL before a removal reports that it is stuck, in milliseconds.
pub const KILL_WAIT_MS: u64 = 10_000;

/// Processes and threads of a container without a limit of its own. Stops a fork bomb.
pub const DEFAULT_PIDS: u32 = 4096;

/// File descriptors that a container's processes may open, soft and hard, without a limit of its own and if the machine
/// allows as many: Fargate's default. <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Ulimit.html>
pub const DEFAULT_OPEN_FILES: u64 = 65_535;

/// Sessions of one container at the same time. Each is a process of some 5 MiB.
pub const SESSIONS: usize = 32;

/// Largest message of a session: as much as a pipe holds.
pub const SESSION_MESSAGE_BYTES: usize = 64 * 1024;

/// Longest wait for a client's first message, in milliseconds.
pub const SESSION_BEGIN_MS: u64 = 10_000;

/// Longest wait for a client that does not read, once its container has ended, in milliseconds. A stopped client must not delay
/// the removal of everything that belongs to the plane.
pub const SESSION_FLUSH_MS: u64 = 5_000;
