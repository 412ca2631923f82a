# syntax=docker/dockerfile:1
# The one binary in an image without a shell. Build it with
#   docker build --build-arg PIZZA_COMMIT="$(git rev-parse --short HEAD)" -t cloud-pizza:0.3.0 .

FROM rust:1.92-bookworm AS chef
RUN cargo install cargo-chef --locked --version 0.1.78
WORKDIR /src

# What the dependencies are: changes only with the manifests.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
COPY --from=plan /src/recipe.json recipe.json
# The layer that is kept until a dependency changes.
RUN cargo chef cook --release --locked --package pizza --recipe-path recipe.json
COPY . .
ARG PIZZA_COMMIT=""
ENV PIZZA_COMMIT=${PIZZA_COMMIT}
RUN cargo build --release --locked --package pizza --bin pizza
# The symbols in a file of their own, which debuggers find by its build id.
RUN cd target/release \
    && objcopy --only-keep-debug pizza pizza.debug \
    && strip pizza \
    && objcopy --add-gnu-debuglink=pizza.debug pizza
# What it is made of, for whoever looks for a vulnerable crate.
RUN python3 deploy/sbom.py > target/release/pizza.cdx.json

# The symbols of the image's binary: docker build --target symbols --output . .
FROM scratch AS symbols
COPY --from=build /src/target/release/pizza.debug /

# The C library and the certificates of the well-known authorities, no shell,
# no package manager; uid 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/pizza /usr/local/bin/pizza
COPY --from=build /src/target/release/pizza.cdx.json /usr/share/doc/pizza/sbom.cdx.json
ENTRYPOINT ["/usr/local/bin/pizza"]
