// SPDX-License-Identifier: MIT
// links: lmtp
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/lmtp/session.hpp"

namespace {

class Sink final : public gk::lmtp::Receiver {
public:
    gk::lmtp::Reply recipient(const gk::smtp::Mail&, const gk::smtp::Rcpt& rcpt) override {
        if (rcpt.path.local_part == "no") return {550, "5.1.1", rcpt.path.to_string()};
        ++recipients_;
        return {250, "2.1.5", "ok"};
    }
    void write(std::string_view bytes) override { bytes_ += bytes.size(); }
    std::vector<gk::lmtp::Reply> finish() override {
        return std::vector<gk::lmtp::Reply>(recipients_, {250, "2.0.0", std::to_string(bytes_)});
    }
    void reset() noexcept override { recipients_ = bytes_ = 0; }

private:
    std::size_t recipients_ = 0, bytes_ = 0;
};

// The replies when the input comes in pieces of STEP bytes.
std::string replies(std::string_view input, std::size_t step) {
    Sink sink;
    gk::lmtp::ServerSession session("h.test", sink,
                                    {.max_size = 4096, .max_recipients = 10, .max_line = 1024, .max_errors = 20});
    std::string heard = session.greeting();
    for (std::size_t at = 0; at < input.size(); at += step) heard += session.feed(input.substr(at, step));
    return heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::string whole = replies(input, size == 0 ? 1 : size);
    if (replies(input, 1) != whole || replies(input, 7) != whole) std::abort();
    return 0;
}
