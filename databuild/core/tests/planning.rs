//! The planner against one that looks at every partition by itself.

mod simulator;
mod support;

#[test]
fn plans_are_what_looking_at_each_partition_gives() {
    for seed in support::rng::seeds(60) {
        simulator::compare_plans(seed, support::rng::steps(60));
    }
}
