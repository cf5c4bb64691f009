#include "fields.h"

namespace connx {
namespace {

// Field numbers of onnx.proto.
constexpr std::uint32_t graphInitializer = 5, tensorRaw = 9;
constexpr std::uint32_t delimited = 2;

}  // namespace

void appendVarint(std::string &out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void appendHeader(std::string &out, std::uint32_t number, std::uint64_t length) {
  appendVarint(out, number << 3 | delimited);
  appendVarint(out, length);
}

void appendField(std::string &out, std::uint32_t number, const std::string &content) {
  appendHeader(out, number, content.size());
  out += content;
}

std::string initializerPrefix(
    const onnx::TensorProto &header, std::optional<std::uint64_t> payload) {
  std::string tensor = header.SerializeAsString();
  if (payload) appendHeader(tensor, tensorRaw, *payload);
  std::string prefix;
  appendHeader(prefix, graphInitializer, tensor.size() + payload.value_or(0));
  return prefix + tensor;
}

}  // namespace connx
