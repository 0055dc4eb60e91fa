"""The official client of the Model Context Protocol: what it finds over stdio, then over HTTP, as JSON lines."""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

TRACEKIT, SERVER, ENDPOINT, TRACE = sys.argv[1:]


async def look(transport):
    async with transport as streams, ClientSession(streams[0], streams[1]) as session:
        told = await session.initialize()
        tools = (await session.list_tools()).tools
        found = await session.call_tool("search_traces", {"query": "order.id=42"})
        opened = await session.call_tool("get_trace", {"trace_id": TRACE})
        print(json.dumps({"server": told.server_info.name, "tools": [tool.name for tool in tools],
                          "found": found.content[0].text, "opened": opened.content[0].text}), flush=True)


async def main():
    await look(stdio_client(StdioServerParameters(command=TRACEKIT, args=["mcp", "--server", SERVER])))
    await look(streamable_http_client(ENDPOINT))


asyncio.run(main())
