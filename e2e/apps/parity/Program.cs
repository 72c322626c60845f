// What the module's own functional tests ask of their web sites: an endpoint for each thing that an app can see.
// The first argument may name a way to start badly; PARITY_START_DELAY and PARITY_STOP_DELAY (milliseconds) slow it.
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;

switch (args.FirstOrDefault())
{
    case "Wow":
        Console.Write("Wow!");
        return 3;
    case "Long":
        // 40,000 characters that tell where they are from: numbers of eight digits.
        for (var number = 0; number < 5000; number++)
        {
            Console.Write($"{number:D8}");
        }
        return 4;
    case "ThrowInStartup":
        throw new InvalidOperationException("from startup");
    case "Print":
        Console.WriteLine("TEST MESSAGE 彡⾔");
        Console.Error.WriteLine("ERROR MESSAGE 彡⾔");
        break;
}
Thread.Sleep(Number("PARITY_START_DELAY"));

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddResponseCaching();
builder.Services.AddResponseCompression();
if (Variable("PARITY_PAIR_TWICE") is not null)
{
    builder.WebHost.UseIISIntegration().UseIISIntegration();
}
var app = builder.Build();
// Before anything of the app has stopped, as a slow OnStopping of an app does it.
app.Lifetime.ApplicationStopping.Register(() => Thread.Sleep(Number("PARITY_STOP_DELAY")));
app.UseWebSockets();
app.UseWhen(context => context.Request.Path.StartsWithSegments("/Secure"), secure => secure.UseHttpsRedirection());
app.UseWhen(context => context.Request.Path.StartsWithSegments("/Cached"), cached => cached.UseResponseCaching());
app.UseWhen(
    context => context.Request.Path.StartsWithSegments("/Compressed"),
    compressed => compressed.UseResponseCompression());

List<byte[]> kept = [];
Say("/", _ => "Hello World");
Say("/HelloWorld", _ => "Hello World");
Say("/ProcessId", _ => $"pid={Environment.ProcessId}");
Say("/Arguments", _ => string.Join('\n', args));
Say("/ServerAddresses", context => string.Join(',', Addresses(context)));
Say("/ContentRoot", _ => app.Environment.ContentRootPath);
Say("/WebRoot", _ => app.Environment.WebRootPath);
Say("/CurrentDirectory", _ => Environment.CurrentDirectory);
Say("/BodyLimit", context => $"{context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize?.ToString() ?? "null"}");
Say("/PathBase", context => context.Request.PathBase.Value!);
Say("/Auth", context => context.User.Identity?.Name ?? "null");
Say("/Upgrade", context => context.Features.Get<IHttpUpgradeFeature>() is null ? "Disabled" : "Enabled");
Say("/Upgradable", context => $"{context.Features.Get<IHttpUpgradeFeature>()?.IsUpgradableRequest ?? false}");
Say("/Connection", context => $"{context.Request.Scheme} {context.Connection.RemoteIpAddress}");
Say("/Secure", context => context.Request.Scheme);
Say("/Compressed", _ => new string('x', 4000));
Say("/ClientCertificate", context => context.Connection.ClientCertificate is { } one ? $"Enabled;{one.Thumbprint}" : "Disabled");
Say("/Environment", _ => string.Join('\n', Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>().Select(one => $"{one.Key}={one.Value}")));
Say("/Headers", context => string.Join('\n', context.Request.Headers.Select(one => $"{one.Key}={one.Value}")));
Say("/Shutdown", _ =>
{
    app.Lifetime.StopApplication();
    return "Shutting down";
});
Say("/Keep", context =>
{
    // Touched, so that it counts as resident.
    kept.Add(Enumerable.Repeat((byte)1, int.Parse($"{context.Request.Query["mb"]}") << 20).ToArray());
    return "kept";
});
Say("/Cached", context =>
{
    context.Response.Headers.CacheControl = "public, max-age=2";
    return $"{Guid.NewGuid()}";
});
Say("/Close", context =>
{
    context.Response.Headers.Connection = "close";
    return "Closing";
});
app.Map("/Path", path => path.Run(context => context.Response.WriteAsync(context.Request.Path.Value!)));
app.Map("/Query", query => query.Run(context => context.Response.WriteAsync($"{context.Request.QueryString}")));
app.MapGet("/Schemes", async (HttpContext context) =>
{
    var provider = context.RequestServices.GetService<IAuthenticationSchemeProvider>();
    var schemes = provider is null ? [] : await provider.GetAllSchemesAsync();
    return string.Join(',', schemes.Select(one => one.Name));
});
app.MapGet("/Restricted", () => Results.StatusCode(401));
app.MapGet("/Forbidden", () => Results.StatusCode(403));
app.MapGet("/Abort", (HttpContext context) => context.Abort());
app.MapGet("/Wait", async (int ms) =>
{
    await Task.Delay(ms);
    return $"pid={Environment.ProcessId}";
});
app.MapPost("/Form", async (HttpContext context) =>
{
    var form = await context.Request.ReadFormAsync();
    return form["text"].ToString();
});
app.MapPost("/Length", async (HttpContext context) =>
{
    var body = new MemoryStream();
    await context.Request.Body.CopyToAsync(body);
    return $"length={body.Length}\npid={Environment.ProcessId}";
});
app.Map("/WebSocket", Echo);
app.Run();
return 0;

static string? Variable(string name) => Environment.GetEnvironmentVariable(name);

static int Number(string name) => int.TryParse(Variable(name), out var number) ? number : 0;

static IEnumerable<string> Addresses(HttpContext context) =>
    context.RequestServices.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;

void Say(string path, Func<HttpContext, string> text) => app.MapGet(path, (HttpContext context) => text(context));

// Echoes what comes, closes as it was closed; told to, it closes itself.
static async Task Echo(HttpContext context)
{
    if (!context.WebSockets.IsWebSocketRequest)
    {
        context.Response.StatusCode = 400;
        return;
    }
    context.Response.Headers["X-Header"] = "header of the 101";
    context.Response.Cookies.Append("cookie", "of-the-101");
    using var socket = await context.WebSockets.AcceptWebSocketAsync(context.WebSockets.WebSocketRequestedProtocols.FirstOrDefault());
    var buffer = new byte[64 * 1024];
    while (true)
    {
        var got = await socket.ReceiveAsync(buffer, CancellationToken.None);
        if (got.MessageType == WebSocketMessageType.Close)
        {
            await socket.CloseOutputAsync(socket.CloseStatus ?? WebSocketCloseStatus.NormalClosure, socket.CloseStatusDescription, CancellationToken.None);
            return;
        }
        if (Encoding.UTF8.GetString(buffer, 0, got.Count) == "CloseFromServer")
        {
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "ClosingFromServer", CancellationToken.None);
            return;
        }
        await socket.SendAsync(buffer.AsMemory(0, got.Count), got.MessageType, got.EndOfMessage, CancellationToken.None);
    }
}
