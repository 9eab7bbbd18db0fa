# taca with its CUDA backend. Build and run:
#
#   docker build -t taca .
#   docker run --rm --gpus all taca generate -p "a red cube" -o - > cube.png
#
# The kernels' images are in the repository; to make them anew, run
# scripts/build-kernels in the first stage.
FROM golang:1.26.8-bookworm AS go

FROM nvidia/cuda:12.9.1-devel-ubuntu24.04 AS build

# The compiler is what the base image's release has.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=go /usr/local/go /usr/local/go
ENV PATH=/usr/local/go/bin:$PATH CUDA_HOME=/usr/local/cuda

WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN scripts/build -o /taca && /taca version

# The runtime image has libcublasLt.so.12; the driver comes from the host.
FROM nvidia/cuda:12.9.1-runtime-ubuntu24.04

RUN useradd --create-home --uid 10001 taca
COPY --from=build /taca /usr/local/bin/taca
USER 10001
WORKDIR /home/taca
ENTRYPOINT ["taca"]
