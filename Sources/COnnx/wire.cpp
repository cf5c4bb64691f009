#include "wire.h"

#include <algorithm>
#include <limits>

#include "fields.h"

namespace connx {
namespace {

// Field numbers of onnx.proto.
namespace field {
constexpr std::uint32_t modelGraph = 7, modelDescription = 6, modelTraining = 20;
constexpr std::uint32_t graphNode = 1, graphInitializer = 5, graphDescription = 10,
                        graphValueInfo = 13, graphAnnotation = 14, graphMetadata = 16;
constexpr std::uint32_t nodeInput = 1, nodeAttribute = 5, nodeDescription = 6, nodeMetadata = 9;
constexpr std::uint32_t attributeFloat = 2, attributeTensor = 5, attributeGraph = 6;
constexpr std::uint32_t tensorFloats = 4, tensorInt32s = 5, tensorRaw = 9, tensorDescription = 12,
                        tensorExternal = 13, tensorMetadata = 16;
constexpr std::uint32_t entryKey = 1, entryValue = 2;
}  // namespace field

/// Branches inside branches that are followed; exporters nest one level.
constexpr int maximumDepth = 8;

/// Fields that are looked at. An empty node takes two bytes of a file and hundreds of memory; graphs
/// of CLIP models have some hundred thousand fields.
constexpr std::size_t maximumFields = std::size_t{1} << 21;

constexpr std::uint32_t varint = 0, fixed64 = 1, delimited = 2, fixed32 = 5;

/// One field of a message.
struct Field {
  std::uint32_t number = 0;
  std::uint32_t type = 0;
  std::size_t start = 0;   // of the tag
  std::size_t length = 0;  // offset of the length's varint
  std::size_t content = 0;
  std::size_t end = 0;
};

/// The bytes of a file, of which a stretch is in memory.
class Window {
 public:
  Window(const Reader &reader, std::size_t size) : reader_(reader), size_(size) {}

  std::uint8_t operator[](std::size_t position) {
    // A position in front of the stretch is a large number behind it.
    if (position - start_ >= bytes_.size()) load(position);
    return bytes_[position - start_];
  }

  /// Appends a part of the file.
  void copy(std::string &out, std::size_t start, std::size_t end) {
    const std::size_t old = out.size();
    out.resize(old + (end - start));
    if (start - start_ <= bytes_.size() && end - start <= bytes_.size() - (start - start_)) {
      std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(start - start_), end - start,
                  out.begin() + static_cast<std::ptrdiff_t>(old));
    } else {
      read(start, end - start, reinterpret_cast<std::uint8_t *>(&out[old]));
    }
  }

 private:
  static constexpr std::size_t stretch = std::size_t{1} << 16;

  const Reader &reader_;
  const std::size_t size_;
  std::size_t start_ = 0;
  std::vector<std::uint8_t> bytes_;

  void load(std::size_t position) {
    bytes_.resize(std::min(stretch, size_ - position));
    start_ = position;
    read(position, bytes_.size(), bytes_.data());
  }

  void read(std::size_t start, std::size_t length, std::uint8_t *target) {
    if (length > 0 && !reader_(start, length, target)) throw ReadError("the file cannot be read");
  }
};

class Walker {
 public:
  Walker(const Reader &reader, std::size_t length) : bytes_(reader, length), size_(length) {}

  Places run(std::string &skeleton) {
    places_.fileLength = size_;
    skeleton = model();
    // Protobuf's parser counts in int.
    if (skeleton.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
      throw FormatError("the graph without its weights is larger than 2 GiB");
    }
    return std::move(places_);
  }

 private:
  Window bytes_;
  const std::size_t size_;
  std::size_t fields_ = 0;
  Places places_;

  std::uint64_t readVarint(std::size_t &position, std::size_t end) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (position >= end) throw FormatError("a number is cut off by the end of its message");
      const std::uint8_t byte = bytes_[position++];
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    throw FormatError("a number has more than 64 bits");
  }

  /// Reads the field at `position` and moves behind it.
  Field next(std::size_t &position, std::size_t end) {
    if (++fields_ > maximumFields) {
      throw FormatError("the graph has more than " + std::to_string(maximumFields) + " fields");
    }
    Field result;
    result.start = position;
    const std::uint64_t tag = readVarint(position, end);
    result.type = tag & 7;
    if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) throw FormatError("a field has no valid number");
    result.number = static_cast<std::uint32_t>(tag >> 3);
    result.length = position;
    switch (result.type) {
      case varint:
        result.content = position;
        readVarint(position, end);
        break;
      case fixed64:
      case fixed32: {
        const std::size_t width = result.type == fixed64 ? 8 : 4;
        result.content = position;
        if (end - position < width) throw FormatError("a number is cut off by the end of its message");
        position += width;
        break;
      }
      case delimited: {
        const std::uint64_t length = readVarint(position, end);
        result.content = position;
        if (length > end - position) {
          throw FormatError("a field of " + std::to_string(length) + " bytes does not fit in the " +
                            std::to_string(end - position) + " bytes that are left");
        }
        position += static_cast<std::size_t>(length);
        break;
      }
      default:
        throw FormatError("a field has the unknown wire type " + std::to_string(result.type));
    }
    result.end = position;
    return result;
  }

  Place place(const Field &found, std::int64_t parent) const {
    return {parent, found.length, found.content - found.length, found.content,
            found.end - found.content};
  }

  std::int64_t enter(const Field &found, std::int64_t parent) {
    places_.messages.push_back(place(found, parent));
    return static_cast<std::int64_t>(places_.messages.size()) - 1;
  }

  void copy(std::string &out, const Field &found) { bytes_.copy(out, found.start, found.end); }

  std::string model() {
    std::string out;
    for (std::size_t position = 0; position < size_;) {
      const Field found = next(position, size_);
      if (found.type == delimited && found.number == field::modelGraph) {
        if (!places_.graphs.empty()) throw FormatError("the model has two graphs");
        std::int64_t index = -1;
        appendField(out, found.number, graph(found, -1, 0, index));
      } else if (found.number != field::modelDescription && found.number != field::modelTraining) {
        copy(out, found);
      }
    }
    if (places_.graphs.empty()) throw FormatError("the model has no graph");
    return out;
  }

  std::string graph(const Field &message, std::int64_t parent, int depth, std::int64_t &number) {
    if (depth > maximumDepth) throw FormatError("graphs are nested too deeply");
    std::string out;
    GraphPlaces places;
    const std::int64_t index = enter(message, parent);
    places.message = index;
    number = static_cast<std::int64_t>(places_.graphs.size());
    places_.graphs.emplace_back();
    for (std::size_t position = message.content; position < message.end;) {
      const Field found = next(position, message.end);
      if (found.type == delimited && found.number == field::graphNode) {
        places.nodes.emplace_back();
        appendField(out, found.number, node(found, enter(found, index), depth, places.nodes.back()));
      } else if (found.type == delimited && found.number == field::graphInitializer) {
        places.initializers.emplace_back();
        appendField(
            out, found.number, tensor(found, enter(found, index), places.initializers.back()));
      } else if (found.number != field::graphDescription && found.number != field::graphValueInfo &&
                 found.number != field::graphAnnotation && found.number != field::graphMetadata) {
        copy(out, found);
      }
    }
    places_.graphs[static_cast<std::size_t>(number)] = std::move(places);
    return out;
  }

  std::string node(const Field &message, std::int64_t index, int depth, NodePlaces &places) {
    std::string out;
    for (std::size_t position = message.content; position < message.end;) {
      const Field found = next(position, message.end);
      if (found.type == delimited && found.number == field::nodeInput) {
        places.inputs.push_back(place(found, index));
        copy(out, found);
      } else if (found.type == delimited && found.number == field::nodeAttribute) {
        AttributePlaces attributePlaces;
        appendField(
            out, found.number, attribute(found, enter(found, index), depth, attributePlaces));
        places.attributes.push_back(attributePlaces);
      } else if (found.number != field::nodeDescription && found.number != field::nodeMetadata) {
        copy(out, found);
      }
    }
    return out;
  }

  std::string attribute(
      const Field &message, std::int64_t index, int depth, AttributePlaces &places) {
    std::string out;
    for (std::size_t position = message.content; position < message.end;) {
      const Field found = next(position, message.end);
      if (found.type == delimited && found.number == field::attributeTensor) {
        if (places.tensor >= 0) throw FormatError("an attribute has two tensors");
        TensorPlaces tensorPlaces;
        appendField(out, found.number, tensor(found, enter(found, index), tensorPlaces));
        places.tensor = static_cast<std::int64_t>(places_.attributeTensors.size());
        places_.attributeTensors.push_back(tensorPlaces);
      } else if (found.type == delimited && found.number == field::attributeGraph) {
        if (places.graph >= 0) throw FormatError("an attribute has two graphs");
        appendField(out, found.number, graph(found, index, depth + 1, places.graph));
      } else {
        if (found.type == fixed32 && found.number == field::attributeFloat) {
          places.floatOffset = found.content;
        }
        copy(out, found);
      }
    }
    return out;
  }

  void remember(Place &slot, const Field &found, std::int64_t parent) const {
    if (slot.lengthSize != 0) throw FormatError("a tensor has the same kind of data twice");
    slot = place(found, parent);
  }

  std::string tensor(const Field &message, std::int64_t index, TensorPlaces &places) {
    std::string out;
    for (std::size_t position = message.content; position < message.end;) {
      const Field found = next(position, message.end);
      if (found.type == delimited && found.number == field::tensorRaw) {
        remember(places.raw, found, index);
      } else if (found.type == delimited && found.number == field::tensorFloats) {
        remember(places.floats, found, index);
      } else if (found.type == delimited && found.number == field::tensorExternal) {
        externalEntry(found, enter(found, index), places);
        copy(out, found);
      } else if (found.number != field::tensorDescription && found.number != field::tensorMetadata) {
        if (found.type == delimited && found.number == field::tensorInt32s) {
          remember(places.int32s, found, index);
        }
        copy(out, found);
      }
    }
    return out;
  }

  void externalEntry(const Field &message, std::int64_t index, TensorPlaces &places) {
    std::string key;
    Place value;
    for (std::size_t position = message.content; position < message.end;) {
      const Field found = next(position, message.end);
      if (found.type != delimited) continue;
      if (found.number == field::entryKey) {
        key.clear();
        bytes_.copy(key, found.content, found.end);
      } else if (found.number == field::entryValue) {
        value = place(found, index);
      }
    }
    if (key == "location") places.location = value;
  }
};

}  // namespace

Places locate(const Reader &reader, std::size_t length, std::string &skeleton) {
  return Walker(reader, length).run(skeleton);
}

}  // namespace connx
