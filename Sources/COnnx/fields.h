// Fields of the wire format (protobuf.dev/programming-guides/encoding), written singly.
#ifndef CONNX_FIELDS_H
#define CONNX_FIELDS_H

#include "classes.h"

#include <cstdint>
#include <optional>
#include <string>

namespace connx {

void appendVarint(std::string &out, std::uint64_t value);

/// The tag of a length-delimited field and its length.
void appendHeader(std::string &out, std::uint32_t number, std::uint64_t length);

/// A length-delimited field.
void appendField(std::string &out, std::uint32_t number, const std::string &content);

/// The bytes of an initializer field of a graph, up to where its payload begins.
///
/// @param header the tensor without its payload.
/// @param payload bytes of raw data that follow; none when the payload is elsewhere.
std::string initializerPrefix(
    const onnx::TensorProto &header, std::optional<std::uint64_t> payload);

}  // namespace connx

#endif
