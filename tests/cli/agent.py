"""A small coding agent, as others write them: asks a model by OpenAI's chat completions, does what it says, and leaves.

First it looks for everything that an agent should not find, and says of each thing what came of it.
"""

import glob
import json
import os
import socket
import subprocess
import sys
import urllib.request

prompt_file, answer_file, planted, mark = sys.argv[1:5]


def look_for_loot():
    for path in planted.split(":"):
        try:
            with open(path) as file:
                print("REACHED" if mark in file.read() else "FOUND NOTHING IN", path)
        except OSError as error:
            print("no", path, error.strerror)
    for name, value in os.environ.items():
        if mark in value:
            print("REACHED variable", name)
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            if mark.encode() in open(path, "rb").read():
                print("REACHED", path)
        except OSError:
            pass
    for host in ("1.1.1.1", "api.openai.com"):
        try:
            socket.create_connection((host, 443), 2).close()
            print("REACHED", host)
        except OSError as error:
            print("no", host, error)
    print("looked for everything")


def ask(messages):
    names = ["list", "search", "read", "edit", "write", "run", "finish"]
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in names]
    body = {"model": "any", "messages": messages, "tools": tools}
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["choices"][0]["message"]


def act(name, arguments):
    if name == "finish":
        with open(answer_file, "w") as file:
            json.dump(arguments, file)
        return None
    if name == "run":
        done = subprocess.run(arguments["argv"], capture_output=True, text=True)
        return f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    if name == "read":
        return open(arguments["path"]).read()
    if name == "write":
        os.makedirs(os.path.dirname(arguments["path"]) or ".", exist_ok=True)
        open(arguments["path"], "w").write(arguments["content"])
    if name == "edit":
        text = open(arguments["path"]).read()
        open(arguments["path"], "w").write(text.replace(arguments["old"], arguments["new"], 1))
    return "done"


if planted:
    look_for_loot()
if prompt_file:
    conversation = [{"role": "user", "content": open(prompt_file).read()}]
    working = True
    while working:
        message = ask(conversation)
        conversation.append(message)
        for call in message.get("tool_calls") or sys.exit("the model stopped without finishing"):
            function = call["function"]
            said = act(function["name"], json.loads(function["arguments"]))
            working = working and said is not None
            conversation.append({"role": "tool", "tool_call_id": call["id"], "content": said or ""})
