// Locates what may be replaced in a serialised ONNX model.
#ifndef CONNX_WIRE_H
#define CONNX_WIRE_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace connx {

/// A file that is not a protobuf message of the expected kind.
struct FormatError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A file that could not be read.
struct ReadError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A length-delimited field of the file: the varint of its length, then its content.
struct Place {
  /// Index of the message that the field is part of; -1 for the model itself.
  std::int64_t parent = -1;
  std::size_t lengthOffset = 0;
  /// 0 for a field that the file does not have.
  std::size_t lengthSize = 0;
  std::size_t offset = 0;
  std::size_t length = 0;
};

/// The places of one tensor.
struct TensorPlaces {
  Place raw;
  Place floats;
  Place int32s;
  Place location;
};

/// The places of one attribute: its float, its tensor and its graph.
struct AttributePlaces {
  std::size_t floatOffset = 0;
  std::int64_t tensor = -1;
  std::int64_t graph = -1;
};

/// The places of one node.
struct NodePlaces {
  std::vector<Place> inputs;
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
  std::size_t fileLength = 0;
  /// Messages that enclose replaceable fields, parents before children.
  std::vector<Place> messages;
  /// The model's graph first.
  std::vector<GraphPlaces> graphs;
  std::vector<TensorPlaces> attributeTensors;
};

/// Reads bytes of a file, which are inside it; false when that fails.
using Reader = std::function<bool(std::size_t offset, std::size_t length, std::uint8_t *target)>;

/// Walks through a serialised model of `length` bytes.
///
/// @param[out] skeleton the same model without payloads, descriptions and value types: small whatever
///   the weights.
/// @throws FormatError when a length leaves its message, a field comes twice, or groups are used;
///   ReadError when reading fails.
Places locate(const Reader &reader, std::size_t length, std::string &skeleton);

}  // namespace connx

#endif
