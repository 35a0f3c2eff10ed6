// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// What is looked at while a message streams by; nothing here keeps it.
namespace gk::smtp {

// Undoes the transparency of DATA (RFC 5321, 4.5.2). Only CRLF.CRLF ends the message; a CR or LF that stands alone
// is told at once, since what follows it may be meant to look like commands to another server (SMTP smuggling).
class DataDecoder {
public:
    enum class Event { Content, NeedMore, End, Bare };
    struct Step { Event event; std::string_view content; };
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

// Names of the header's fields, as far as the server cares.
class HeaderWatch {
public:
    void feed(std::string_view bytes);
    std::size_t received_count() const noexcept { return received_; }
    bool has_date() const noexcept { return date_; }
    bool has_message_id() const noexcept { return message_id_; }

private:
    static constexpr std::size_t kLongestName = 12;  // "message-id" and room for one that only begins so
    void end_name();
    std::string name_;
    bool in_header_ = true, in_name_ = true;
    bool date_ = false, message_id_ = false;
    std::size_t received_ = 0;
};

}  // namespace gk::smtp
