/** Which devices NetworkManager and systemd-networkd have under their hands, from what their commands print. Pure. */

const lines = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');

/** Of `nmcli -t -f DEVICE,STATE device`: "eth1:unmanaged". What others have configured it only shows, as "connected (externally)". */
export function managedByNetworkManager(text: string): string[] {
  return lines(text).flatMap((line) => {
    const at = line.lastIndexOf(':');
    const state = line.slice(at + 1);
    return state === 'unmanaged' || state.includes('externally') ? [] : [line.slice(0, at).replaceAll('\\:', ':')];
  });
}

/** Of `networkctl list --no-legend`: "  3 eth1 ether off unmanaged". */
export function managedByNetworkd(text: string): string[] {
  return lines(text).flatMap((line) => {
    const cells = line.trim().split(/\s+/);
    return cells.at(-1) === 'unmanaged' ? [] : [cells[1] ?? ''];
  });
}
