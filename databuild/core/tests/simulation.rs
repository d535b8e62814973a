//! Many random histories, each checked after every step. `SEEDS=10000` runs more of them, `SEED=17` one,
//! `STEPS=1000` longer ones.

mod simulator;
mod support;

#[test]
fn random_histories_end_as_a_build_from_scratch_would() {
    for seed in support::rng::seeds(60) {
        simulator::simulate(seed, support::rng::steps(150));
    }
}
