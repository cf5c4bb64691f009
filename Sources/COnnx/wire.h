// Locates what may be replaced in a serialised ONNX model.
#ifndef CONNX_WIRE_H
#define CONNX_WIRE_H

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "connx.h"

namespace connx {

/// A file that is not a protobuf message of the expected kind.
struct FormatError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The places of one tensor.
struct TensorPlaces {
  connx_field raw{};
  connx_field floats{};
  connx_field int32s{};
  connx_field location{};
};

/// The places of one attribute: its float, its tensor and its graph.
struct AttributePlaces {
  std::size_t floatOffset = 0;
  std::int64_t tensor = -1;
  std::int64_t graph = -1;
};

/// The places of one node.
struct NodePlaces {
  std::vector<connx_field> inputs;
  std::vector<AttributePlaces> attributes;
};

/// The places of a graph: the model's, or a branch of a node.
struct GraphPlaces {
  std::int64_t message = -1;
  std::vector<TensorPlaces> initializers;
  std::vector<NodePlaces> nodes;
};

/// What a walk through the file finds.
struct Places {
  std::vector<connx_field> messages;
  /// The model's graph first.
  std::vector<GraphPlaces> graphs;
  std::vector<TensorPlaces> attributeTensors;
  /// The same model without payloads, descriptions and value types: small whatever the weights.
  std::string skeleton;
};

/// Walks through a serialised model.
///
/// @throws FormatError when a length leaves its message, a field comes twice, or groups are used.
Places locate(const std::uint8_t *bytes, std::size_t length);

}  // namespace connx

#endif
