//! Every bound of this plane, with its reason.

/// A longer line is logged in pieces, as the container runtimes do; bounds what the shim holds.
pub const LOG_LINE_BYTES: usize = 16 * 1024;

/// Size at which a log file is closed and the next begun. Deleting the oldest loses a quarter, not all.
pub const LOG_SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// Log files kept a container: 32 MiB, hours of an ordinary web application.
pub const LOG_SEGMENTS: usize = 4;

/// Bytes looked at for the last lines of a log: what a person reads at once, not a log.
pub const LOG_TAIL_BYTES: u64 = 32 * 1024;

/// Output kept of one command in a container, per stream; the rest is read and dropped.
pub const EXEC_OUTPUT_BYTES: u64 = 1024 * 1024;

/// Largest manifest and image configuration. Registries refuse larger manifests than 4 MiB.
pub const MANIFEST_BYTES: u64 = 4 * 1024 * 1024;

/// Entries of one layer. The largest public images have some 300,000.
pub const LAYER_ENTRIES: u64 = 4_000_000;

/// Unpacked bytes of one layer: a bomb of zeros must not fill the disk.
pub const LAYER_UNPACKED_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// Layers of one image, as overlayfs and Docker have it.
pub const LAYERS: usize = 127;

/// Shortest pause between two measurements of what a group has written, in milliseconds. A disk that writes 1 GB/s adds 2 GB to
/// what a group may exceed its limit by.
pub const STORAGE_EVERY_MS: u64 = 2_000;

/// A measurement is followed by a pause of so many times what it took: measuring costs at most 5 % of one CPU.
pub const STORAGE_REST: u64 = 20;

/// Nested directories that a measurement enters, each with a descriptor of its own. Real trees have some 50; deeper ones could
/// hide what they hold, so their group is stopped.
pub const STORAGE_DEPTH: usize = 256;

/// Longest wait for a process after SIGKILL before a removal reports that it is stuck, in milliseconds.
pub const KILL_WAIT_MS: u64 = 10_000;

/// Processes and threads of a container that names no limit of its own. A fork bomb ends here.
pub const DEFAULT_PIDS: u32 = 4096;

/// Descriptors that a container's processes may open, soft and hard, if it names no limit of its own and the machine allows as
/// many: Fargate's default. <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Ulimit.html>
pub const DEFAULT_OPEN_FILES: u64 = 65_535;
