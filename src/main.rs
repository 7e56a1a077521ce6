//! The `aurora` binary: everything is in the library.

/// Frees and reuses the small allocations of the ingest path faster than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    aurora::cli::main()
}
