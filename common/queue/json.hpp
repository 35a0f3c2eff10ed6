// SPDX-License-Identifier: MIT
#pragma once

#include <boost/json/fwd.hpp>

#include "common/queue/index.hpp"
#include "common/queue/sent.hpp"

namespace gk::queue {

// The object of `gk-queue list --json`; "v" is the version of its form, fields are only ever added.
boost::json::object to_json(const Summary& summary);
boost::json::object to_json(const Bounce& bounce);
Summary summary_from(const boost::json::object& object);

}  // namespace gk::queue
