// SPDX-License-Identifier: MIT
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/queue/access.hpp"
#include "common/queue/json.hpp"

// What goes over the control socket, as JSON and back. A field that is missing or of another kind is empty, so that
// programs of two versions understand each other.
namespace gk::queue {

std::string text_of(const boost::json::object& object, std::string_view key);
std::uint64_t number_of(const boost::json::object& object, std::string_view key);
bool flag_of(const boost::json::object& object, std::string_view key);
std::vector<std::string> texts_of(const boost::json::object& object, std::string_view key);

std::string_view name_of(By by) noexcept;
std::optional<By> by_of(std::string_view name) noexcept;

boost::json::object to_request(const Filter& filter);
Filter filter_from(const boost::json::object& request);
boost::json::object detail_answer(const Detail& detail);
Result<Detail> detail_from(const boost::json::object& answer);
boost::json::object facts_answer(const Facts& facts);
Result<Facts> facts_from(const boost::json::object& answer);
boost::json::object stat_object(const Stat& stat);
Stat stat_from(const boost::json::object& object);
boost::json::object report_request(const std::string& account, const message::DeliveryReport& report);
message::DeliveryReport report_of(const boost::json::object& request);
Bounce bounce_from(const boost::json::object& object);
boost::json::object error_object(const Error& error);
Error error_of(const boost::json::object& answer);

}  // namespace gk::queue
