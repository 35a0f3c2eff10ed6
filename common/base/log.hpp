// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Events: one thing that happened is one line, written once, with a stable name and fields.
// Only programs and their hosts log; libraries return. Never put secrets or bodies into a field.
namespace gk::log {

enum class Level { Debug, Info, Warning, Error };

// Where lines go, chosen by open(): journal fields where stderr is the journal (JOURNAL_STREAM),
// text on a terminal, JSON lines elsewhere. GK_LOG=json|text|journal overrides.
// Call once at the start of main, before threads.
void open(std::string_view program, Level least = Level::Info);
void set_level(Level least) noexcept;

// An event under construction; the destructor writes it in one write(2). Thread-safe between events.
//   log::Event("message.accepted").field("id", id).field("size", n);
// Names are noun.verb. Common fields: id (queue or trace id), session, peer, actor (account),
// tenant, outcome, reply, error.
class Event {
public:
    explicit Event(std::string_view name, Level level = Level::Info);
    ~Event();
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    Event& field(std::string_view name, std::string_view value);
    Event& field(std::string_view name, const char* value) { return field(name, std::string_view(value)); }
    Event& field(std::string_view name, const std::string& value) { return field(name, std::string_view(value)); }
    Event& field(std::string_view name, bool value);
    template <class Integer>
    requires(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>) Event& field(std::string_view name,
                                                                                         Integer value) {
        return number(name, static_cast<std::int64_t>(value));
    }

private:
    Event& number(std::string_view name, std::int64_t value);

    struct Field {
        std::string name, value;
        bool quoted;
    };
    std::string name_;
    Level level_;
    bool wanted_;
    std::vector<Field> fields_;
};

// One JSON string literal, quotes included; bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view s);

}  // namespace gk::log
