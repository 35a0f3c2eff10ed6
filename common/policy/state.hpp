// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace gk::policy {

struct StateLimits {
    std::int64_t delay_s = 300;        // before a retry counts
    std::int64_t window_s = 86400;     // within which it must come
    std::int64_t keep_s = 35 * 86400;  // what passed, since it was last seen
    std::size_t remembered = 100'000;  // lines; past it the longest unseen go
};

// What the gate remembers of clients: who is greylisted (RFC 6647), whose mail was authentic, who is blocked for a
// while. In memory, and a line appended to FILE with each change, unsynced: power loss costs a retry. A restart reads
// it; it is written anew when most of its lines are old. A line is "KIND KEY DOMAIN FIRST LAST PASSED" ("-" for no
// domain). Thread-safe.
class State {
public:
    // READ_ONLY keeps changes to itself: for tools that only ask.
    static Result<std::unique_ptr<State>> open(std::string file, const StateLimits& limits, bool read_only = false);

    struct Grey {
        bool pass = false;
        std::int64_t wait_s = 0;  // until a retry counts
        std::string why;
    };
    Grey greylist(const std::string& network, std::string_view sender_domain, std::int64_t now_s);
    // Mail from there was authentic (SPF or DKIM): it is a server that would try again, whoever it sends for.
    void authentic(const std::string& network, std::int64_t now_s);
    // Whether mail from there was authentic, or came back when it was asked to.
    bool is_known(const std::string& network, std::int64_t now_s) const;
    void block(const std::string& network, std::int64_t until_s, std::int64_t now_s);
    // Until when, where it is.
    std::optional<std::int64_t> blocked(const std::string& network, std::int64_t now_s) const;

    struct Line {
        std::string kind;  // "grey", "authentic", "block"
        std::string network, domain;
        std::int64_t first_s = 0, last_s = 0;  // of a block: begin and end
        bool passed = false;
    };
    std::vector<Line> lines() const;
    // Drops what is over and writes the file anew; how many went.
    Result<std::size_t> prune(std::int64_t now_s);
    void set_limits(const StateLimits& limits);

private:
    State(std::string file, const StateLimits& limits, bool read_only)
        : file_(std::move(file)), limits_(limits), read_only_(read_only) {}
    void put(Line line, std::int64_t now_s);
    bool is_over(const Line& line, std::int64_t now_s) const noexcept;
    void make_room(std::int64_t now_s);
    Status write_anew();

    std::string file_;
    StateLimits limits_;
    bool read_only_;
    mutable std::mutex mutex_;
    std::map<std::string, Line, std::less<>> lines_;  // by kind, network and domain
    std::size_t appended_ = 0;
};

std::string format_line(const State::Line& line);
std::optional<State::Line> parse_line(std::string_view text);  // without its end

}  // namespace gk::policy
