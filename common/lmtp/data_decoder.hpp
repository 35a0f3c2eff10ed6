// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace gk::lmtp {

// Undoes the transparency of DATA (RFC 5321, 4.5.2). Only CRLF.CRLF ends the message: a dot on a line of its own
// that ends, or begins, otherwise is content, and bare() tells the caller to refuse the whole. (smtp::DataDecoder stops
// at the first of them, since a stranger is hung up on; here an MTA waits for an answer for each recipient.)
class DataDecoder {
public:
    // Takes bytes off INPUT and gives content to WRITE(std::string_view), the same bytes for every split of the input.
    // True once the end was read; INPUT is then what follows it. The last CRLF belongs to the message.
    template <class Write>
    bool decode(std::string_view& input, Write&& write);
    bool bare() const noexcept { return bare_; }

private:
    enum class State { LineStart, Dot, DotCr, Line, Cr };
    State state_ = State::LineStart;
    bool bare_ = false;
};

template <class Write>
bool DataDecoder::decode(std::string_view& input, Write&& write) {
    while (!input.empty()) {
        const char c = input.front();
        switch (state_) {
            case State::LineStart:
                if (c == '.') {
                    state_ = State::Dot;
                    input.remove_prefix(1);
                } else {
                    state_ = State::Line;
                }
                break;
            case State::Dot:  // the dot is dropped, whatever follows, unless it ends the message
                if (c == '\r') {
                    state_ = State::DotCr;
                    input.remove_prefix(1);
                } else {
                    state_ = State::Line;
                }
                break;
            case State::DotCr:
                if (c == '\n') {
                    input.remove_prefix(1);
                    state_ = State::LineStart;
                    return true;
                }
                write(std::string_view("\r"));
                bare_ = true;
                state_ = State::Line;
                break;
            case State::Line: {
                const auto end = input.find('\r');
                const std::string_view text =
                    end == std::string_view::npos ? input : std::string_view(input.data(), end);
                if (text.find('\n') != std::string_view::npos) bare_ = true;
                if (end == std::string_view::npos) {
                    if (!text.empty()) write(text);
                    input = {};
                } else if (end + 1 < input.size() && input[end + 1] == '\n') {
                    // The usual case: everything up to the next line that begins with a dot goes out in one piece.
                    std::size_t past = end + 2;
                    while (past < input.size() && input[past] != '.') {
                        const auto next = input.find('\r', past);
                        if (next == std::string_view::npos || next + 1 >= input.size() || input[next + 1] != '\n')
                            break;
                        if (input.substr(past, next - past).find('\n') != std::string_view::npos) bare_ = true;
                        past = next + 2;
                    }
                    write(input.substr(0, past));
                    input.remove_prefix(past);
                    state_ = State::LineStart;
                } else {
                    if (!text.empty()) write(text);
                    input.remove_prefix(end + 1);
                    state_ = State::Cr;
                }
                break;
            }
            case State::Cr:
                if (c == '\n') {
                    write(std::string_view("\r\n"));
                    input.remove_prefix(1);
                    state_ = State::LineStart;
                } else {
                    write(std::string_view("\r"));
                    bare_ = true;
                    state_ = State::Line;
                }
                break;
        }
    }
    return false;
}

}  // namespace gk::lmtp
