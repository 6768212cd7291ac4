//! Many seeds, in a bounded time. `SIM_SEED=n` runs that one alone and tells what it does; `SIM_SEEDS=n` runs so many.

use escale_sim::run;

#[test]
fn one() {
    let _ = tracing_subscriber::fmt().with_env_filter(std::env::var("SIM_LOG").unwrap_or_default()).with_ansi(false).with_test_writer().try_init();
    let seed = std::env::var("SIM_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let began = std::time::Instant::now();
    let done = run(seed);
    println!("{:?} {:?}", began.elapsed(), done.as_ref().ok());
    if let Err(error) = done { panic!("{error:?}") }
}
