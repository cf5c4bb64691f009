// Pairs that the program has in memory, handed over in a callback: no file is written for the library.
//
//   g++ -std=c++17 -Wall -Wextra callback.cpp -lcleanclip -o callback
//   ./callback clip.onnx clean.onnx
#include <cleanclip.hpp>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace {

// What a program would take from its own store: an image of a colour, and what it shows.
struct Photo {
  static constexpr int side = 48;
  std::vector<std::uint8_t> pixels;
  std::string caption;

  explicit Photo(std::int64_t index) : pixels(side * side * 3) {
    static const char *const names[] = {"red", "green", "blue", "grey"};
    const auto kind = static_cast<std::size_t>(index % 4);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = kind == 3 || i % 3 == kind ? static_cast<std::uint8_t>(150 + index % 60) : 20;
    }
    caption = std::string("a photo of a ") + names[kind] + " square";
  }
};

}  // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s MODEL OUTPUT\n", argv[0]);
    return 2;
  }
  try {
    cleanclip::Model model(argv[1]);
    const cleanclip::Tokenizer tokenizer = cleanclip::Tokenizer::find(argv[1]);
    std::vector<Photo> photos;
    for (std::int64_t i = 0; i < 64; ++i) photos.emplace_back(i);
    const cleanclip::Dataset pairs(
        static_cast<std::int64_t>(photos.size()), [&photos](std::int64_t index, cleanclip_pair &pair) {
          // Called on the threads that load; what the pair points to lives until the next call of one.
          const Photo &photo = photos[static_cast<std::size_t>(index)];
          pair.image = photo.pixels.data();
          pair.image_byte_count = photo.pixels.size();
          pair.width = Photo::side;
          pair.height = Photo::side;
          pair.caption = photo.caption.c_str();
          return true;  // false: there is no such pair
        });
    cleanclip::SanitizeOptions options;
    options.epochs = 1;
    options.batch_size = 16;
    cleanclip::sanitize(model, tokenizer, pairs, options);
    model.save(argv[2]);
    std::printf("wrote %s\n", argv[2]);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
