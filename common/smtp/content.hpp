// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// What is looked at while a message streams by; nothing here keeps it.
namespace gk::smtp {

// Undoes the transparency of DATA (RFC 5321, 4.5.2). Only CRLF.CRLF ends the message; a CR or LF that stands alone
// is told at once, since what follows it may be meant to look like commands to another server (SMTP smuggling).
class DataDecoder {
public:
    enum class Event { Content, NeedMore, End, Bare };
    struct Step {
        Event event;
        std::string_view content;
    };
    // Takes bytes off the front of INPUT. CONTENT is a part of INPUT.
    Step next(std::string_view& input) noexcept;

private:
    enum class State { LineStart, Dot, DotCr, Line, LineCr };
    State state_ = State::LineStart;
};

// The same watch over the content of BDAT, where bytes are counted instead.
class LineEnds {
public:
    void feed(std::string_view bytes) noexcept;
    bool bare() const noexcept { return bare_; }
    bool bare_at_end() const noexcept { return bare_ || after_cr_; }

private:
    bool after_cr_ = false, bare_ = false;
};

// The header's fields, as far as the server cares.
class HeaderWatch {
public:
    void feed(std::string_view bytes);
    std::size_t received_count() const noexcept { return received_; }
    bool has_date() const noexcept { return date_; }
    bool has_message_id() const noexcept { return message_id_; }
    // The bodies of all From fields, however many there are.
    const std::vector<std::string>& from() const noexcept { return from_; }
    bool from_is_too_long() const noexcept { return from_too_long_; }
    // The content begins with what is no field: with a fold, which would continue the last field put in front of it,
    // or with a line without a colon. All of it is body then, and wants an empty line before it.
    bool begins_with_body() const noexcept { return begins_with_body_; }

private:
    static constexpr std::size_t kLongestName = 12;      // "message-id" and room for one that only begins so
    static constexpr std::size_t kMostFrom = 16 * 1024;  // bytes of From kept
    static constexpr std::size_t kMostFromFields = 16;
    void end_name();
    void end_header_at_body();
    void take_from(std::string_view bytes);
    std::string name_;
    bool in_header_ = true, in_name_ = true;
    bool first_line_ = true, colon_seen_ = false;
    bool date_ = false, message_id_ = false;
    bool in_from_ = false, from_too_long_ = false, begins_with_body_ = false;
    std::vector<std::string> from_;
    std::size_t from_bytes_ = 0;
    std::size_t received_ = 0;
};

}  // namespace gk::smtp
