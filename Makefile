.PHONY: check test fmt lint doc fences bench

# All that .ci/run holds, in its order.
check:
	bash .ci/run

test:
	cargo test

fmt:
	cargo fmt --all

lint:
	cargo clippy --workspace --all-targets -- -D warnings

doc:
	cargo doc --workspace --no-deps

fences:
	.ci/fences

# Release benchmarks; see benches/README.md for those beside other programs.
bench:
	cargo bench -p sparkles-learn -p sparkles-vision
